import { parseJson, stringField } from '../api/json-fields.ts';
import { EngineError } from '../api/types.ts';
import type { EngineFault } from '../api/types.ts';

const MAX_MESSAGE_CHARS = 200;

/**
 * What the text of an error says, where its status says less: a Python backend (vLLM, the LLM API)
 * reports whatever its engine raised as internal, and in a stream no error has a status.
 */
const BY_TEXT: readonly (readonly [RegExp, EngineFault])[] = [
  [/maximum queue size/i, 'busy'],
  [/is not at ready state|has no available versions/i, 'not-ready'],
  // vLLM; TensorRT-LLM's executor; its LLM API.
  [/longer than the maximum model length|maximum context length/i, 'permanent'],
  [/exceeds maximum input length|should not exceed max_/i, 'permanent'],
  // The vLLM backend has logged why it takes these sampling parameters for none, and goes on.
  [/'NoneType' object has no attribute 'lora_name'/, 'permanent'],
  // By another than this adapter, which closes the connection and hears no more.
  [/request (was )?cancelled/i, 'broken'],
];

/** The text of `{"error":"…"}`; undefined when `value` is no such object. */
export function parseTritonError(value: unknown): string | undefined {
  return stringField(value, 'error');
}

/**
 * The failure an HTTP answer other than 200 stands for. The first response of a stream sets its status,
 * so the error may come as an event.
 */
export function refusal(status: number, body: string): EngineError {
  const text = parseTritonError(parseJson(body.replace(/^data: ?/, '').trim())) ?? '';
  const fault = faultByText(text) ?? faultByStatus(status);
  return new EngineError(fault, 'triton', `Triton answered ${status}${detailOf(status, text)}`, {
    status,
  });
}

/** The failure that an error object in a stream stands for. Its text may quote the request. */
export function streamFailure(text: string): EngineError {
  return new EngineError(
    faultByText(text) ?? 'broken',
    'triton',
    'Triton ended the stream by an error',
  );
}

function faultByText(text: string): EngineFault | undefined {
  return BY_TEXT.find(([pattern]) => pattern.test(text))?.[1];
}

function faultByStatus(status: number): EngineFault {
  if (status === 503 || status === 429) return 'busy';
  if (status === 501) return 'permanent';
  // A key that a proxy does not take is a fault of the set-up, not of the request.
  if (status === 401 || status === 403) return 'broken';
  if (status === 404 || status === 405 || status < 400) return 'garbage';
  return status < 500 ? 'permanent' : 'broken';
}

/** Texts of 5xx are withheld: they hold what a backend raised, and may quote the request. */
function detailOf(status: number, text: string): string {
  return text === '' || status >= 500 ? '' : `: ${text.slice(0, MAX_MESSAGE_CHARS)}`;
}
