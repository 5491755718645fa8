// Made by `npm run contracts` from contracts/openapi; not edited by hand.
export interface paths {
    readonly "/v1/tasks": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** List tasks, newest first. */
        readonly get: operations["listTasks"];
        readonly put?: never;
        /**
         * Admit a task.
         * @description Answers 202 once the task is durable. The same task_id (or Idempotency-Key) with the same body answers 202 with the same admission and runs nothing twice; with another body it answers 409. With `Accept: text/event-stream` the answer is 200 and the task's stream; leaving closes only the stream unless `cancel_on_disconnect=true`.
         */
        readonly post: operations["createTask"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/tasks/{id}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The task_id, as it was sent or given. */
                readonly id: components["parameters"]["TaskId"];
            };
            readonly cookie?: never;
        };
        /** A task's state, usage, result, error and proof. */
        readonly get: operations["getTask"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/tasks/{id}/stream": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The task_id, as it was sent or given. */
                readonly id: components["parameters"]["TaskId"];
            };
            readonly cookie?: never;
        };
        /** Follow a task's output from the beginning or from where you were cut off. */
        readonly get: operations["streamTask"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/tasks/{id}/explain": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The task_id, as it was sent or given. */
                readonly id: components["parameters"]["TaskId"];
            };
            readonly cookie?: never;
        };
        /**
         * Why a task waited and ran as it did.
         * @description The task's timeline, oldest first: what was promised, each wait with its causes and who ran first, each dispatch with what every replica would have meant, what came of it. A task that waits ends with its present state. Each entry says the same in a sentence. Tenants other than the caller's are named only to a key with the scope admin.
         */
        readonly get: operations["explainTask"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/tasks/{id}/verify": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The task_id, as it was sent or given. */
                readonly id: components["parameters"]["TaskId"];
            };
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Run a finished strict task again on another replica of its set, and compare.
         * @description The second run is a task of its own, of the same tenant in the batch class: it waits its turn and its tokens count. The answer comes when it has ended; a caller that leaves cancels it. 409 while the task has not completed, when it was not strict or no completion, and when its replica set has no other replica; 410 when what it was asked or said is no longer kept; 503 when no other replica of the set is ready, or none had time within five minutes.
         */
        readonly post: operations["verifyTask"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/tasks/{id}/cancel": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The task_id, as it was sent or given. */
                readonly id: components["parameters"]["TaskId"];
            };
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Cancel a task. Idempotent.
         * @description After the answer no further token of the task leaves the server; its stream ends with `end` and `finish_reason canceled`. A task that has ended already stays as it is.
         */
        readonly post: operations["cancelTask"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/sessions/{id}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The session_id, as it was sent. */
                readonly id: components["parameters"]["SessionId"];
            };
            readonly cookie?: never;
        };
        /** What is left of a session and whether its KV is warm. */
        readonly get: operations["getSession"];
        readonly put?: never;
        readonly post?: never;
        /** End a session and evict its KV on the replica that holds it. */
        readonly delete: operations["deleteSession"];
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * Format: uuid
         * @description Compared as it stands, letter case included.
         */
        readonly Uuid: string;
        /** @description An id given by configuration or by the daemon. */
        readonly Name: string;
        readonly Count: number;
        /** @description A duration, ms. */
        readonly Millis: number;
        /** @description Low and high end of the interval that holds the first token in 80 of 100 cases, ms from admission. */
        readonly MillisInterval: readonly [
            components["schemas"]["Millis"],
            components["schemas"]["Millis"]
        ];
        /** @description Of keeping the deadline; only for a task that has one. */
        readonly Probability: number;
        /** @description Milliseconds since 1970-01-01T00:00:00Z. */
        readonly EpochMillis: number;
        /**
         * Format: int64
         * @description Any signed 64-bit integer, taken digit for digit. JSON readers that know only doubles lose digits above 2^53 when they read it back.
         */
        readonly Seed: number;
        /** @description SHA-256 of the model file; empty for an external engine whose file cannot be read. */
        readonly ModelDigest: string;
        readonly Sha256: string;
        readonly VersionText: string;
        /** @enum {string} */
        readonly Workload: "completion" | "embedding" | "rerank";
        /** @enum {string} */
        readonly Engine: "llamacpp" | "vllm" | "tgi" | "triton" | "openai";
        /** @enum {string} */
        readonly Priority: "interactive" | "batch";
        /** @enum {string} */
        readonly Determinism: "strict" | "best_effort";
        /** @enum {string} */
        readonly FinishReason: "stop" | "length" | "canceled";
        /** @enum {string} */
        readonly TaskState: "queued" | "running" | "completed" | "failed" | "canceled";
        /** @enum {string} */
        readonly PromptFormat: "auto" | "raw" | "chat";
        readonly ChatMessage: {
            /** @enum {string} */
            readonly role: "system" | "developer" | "user" | "assistant" | "tool";
            readonly content: string;
        };
        /** @description A replica must satisfy all of what is given. */
        readonly Placement: {
            /** @description Labels the replica must have, each with this value. */
            readonly labels?: {
                readonly [key: string]: string;
            };
            /** @description Devices of which the replica must use one, as in the pool's configuration. */
            readonly devices?: readonly string[];
            /** @description Tasks of the tenant with the same name here never run on one replica at once. */
            readonly anti_affinity?: components["schemas"]["Name"];
        };
        /** @description A task. `{"prompt":"hello"}` alone is one. A completion takes exactly one of prompt and messages, an embedding exactly one of prompt and inputs, a rerank query and documents. Embeddings and rankings have no tokens to sample and no session: what only a completion has is refused. Sampling that is left out is filled in by the profile v1, as far as the engine has it: temperature 0.8, top_k 40, top_p 0.95, min_p 0.05. A field that the pool's engine does not have is refused with its path. */
        readonly TaskRequest: {
            /** @description Made by the server when left out. */
            readonly task_id?: components["schemas"]["Uuid"];
            /** @description Joins or opens this session. */
            readonly session_id?: components["schemas"]["Uuid"];
            /** @default completion */
            readonly workload?: components["schemas"]["Workload"];
            /** @description A model's id, tag or `sha256:` digest. Left out, the only or the default pool serves. */
            readonly model_ref?: string;
            /** @description Only pools of this engine. */
            readonly engine?: components["schemas"]["Engine"];
            /** @description Context the task needs, tokens. Refused at admission when above the pool's. */
            readonly ctx?: number;
            /** @default interactive */
            readonly priority?: components["schemas"]["Priority"];
            /** @description Left out, it is derived from a hash of task_id. */
            readonly seed?: components["schemas"]["Seed"];
            /** @description strict gives the same bytes whenever and wherever it runs, so it survives the loss of its replica after its first token, and pays for it with prefix reuse where the engine's is not exact. Left out, it is strict where the pool promises it to all (`determinism: exact` in /v1/capabilities) and best_effort elsewhere. Where the pool promises it to tasks that run `alone`, strict waits for an idle replica and keeps it to itself; asked of a pool that promises `none` it is refused. The task shows what it was given. */
            readonly determinism?: components["schemas"]["Determinism"];
            /** @description Pins how sampling defaults are filled in. */
            readonly sampler_profile_version?: components["schemas"]["Name"];
            readonly prompt?: string;
            /**
             * @description What happens to `prompt`: auto wraps it with the model's chat template when it has one, raw sends it as it stands, chat requires a template.
             * @default auto
             */
            readonly prompt_format?: components["schemas"]["PromptFormat"];
            readonly messages?: readonly components["schemas"]["ChatMessage"][];
            /** @description Embedding only. Each must fit the context by itself. */
            readonly inputs?: readonly string[];
            /** @description Rerank only. */
            readonly query?: string;
            /** @description Rerank only. Each must fit the context beside the query. */
            readonly documents?: readonly string[];
            /** @description Rerank only. */
            readonly top_n?: number;
            /** @description Upper bound on generated tokens. Left out, the context's end is the bound. */
            readonly max_tokens?: number;
            /** @description When the task is wanted, ms after admission; deadline_for says what of it. */
            readonly deadline_ms?: number;
            /**
             * @description What deadline_ms is the time of, the end of the output or its first token.
             * @default end
             * @enum {string}
             */
            readonly deadline_for?: "end" | "first_token";
            /** @description A hint for placement and prediction; never a bound. */
            readonly expected_tokens?: number;
            /**
             * @default reuse
             * @enum {string}
             */
            readonly kv_hint?: "reuse" | "cold";
            /** @description Which replicas may run the task. Left out, any of the pool may. */
            readonly placement?: components["schemas"]["Placement"];
            readonly temperature?: number;
            /** @description 0 turns it off. */
            readonly top_k?: number;
            readonly top_p?: number;
            readonly min_p?: number;
            /** @description Texts that end the output; they are not part of it. */
            readonly stop?: readonly string[];
            /** @description A GBNF grammar. */
            readonly grammar?: string;
            /** @description A JSON Schema the output must fit. At most 4096 values, nested at most 64 levels. Not with grammar. */
            readonly json_schema?: {
                readonly [key: string]: unknown;
            };
            /** @description How many likely alternatives each token is reported with; 0 reports none. */
            readonly logprobs?: number;
            /** @description Kept with the task and given back; not interpreted. */
            readonly metadata?: {
                readonly [key: string]: string;
            };
        };
        readonly AdmissionResponse: {
            readonly task_id: components["schemas"]["Uuid"];
            /** @description Place in the queue; 1 is next, 0 started at once. */
            readonly queue_position: components["schemas"]["Count"];
            /** @description Predicted wait from admission to dispatch. */
            readonly predicted_start_ms: components["schemas"]["Millis"];
            /** @description Wait this long before posting more; 0 while there is room. */
            readonly backoff_ms: components["schemas"]["Millis"];
            /** @description Predicted wait from admission to the first token; for an embedding or a rerank, to its answer. */
            readonly predicted_first_token_ms?: components["schemas"]["Millis"];
            readonly predicted_interval_ms?: components["schemas"]["MillisInterval"];
            readonly on_time_probability?: components["schemas"]["Probability"];
            /** @description Path of the task's stream. */
            readonly stream_url: string;
            readonly session_id?: components["schemas"]["Uuid"];
            readonly seed: components["schemas"]["Seed"];
        };
        readonly Usage: {
            readonly tokens_in: components["schemas"]["Count"];
            readonly tokens_out: components["schemas"]["Count"];
            /** @description Prompt tokens whose KV was warm. */
            readonly cached_tokens?: components["schemas"]["Count"];
            /** @description Admission to dispatch. */
            readonly queue_ms?: components["schemas"]["Millis"];
            /** @description Admission to first token. */
            readonly ttft_ms?: components["schemas"]["Millis"];
            /** @description First to last token. */
            readonly decode_ms?: components["schemas"]["Millis"];
            /** @description How often the task was stopped for other work and went on later. */
            readonly preemptions?: components["schemas"]["Count"];
        };
        /** @description One field, by workload: the text so far or in the end; one embedding for each input, in their order; or the ranking, best first. Embeddings and rankings are there only in the end. */
        readonly TaskResult: {
            readonly text?: string;
            readonly embeddings?: readonly (readonly number[])[];
            readonly ranking?: readonly {
                /** @description Position in documents. */
                readonly index: components["schemas"]["Count"];
                readonly score: number;
            }[];
        };
        /** @description Where the task ran last. */
        readonly TaskReplica: {
            readonly replica_id: components["schemas"]["Name"];
            readonly engine: components["schemas"]["Engine"];
            readonly engine_version?: components["schemas"]["VersionText"];
            readonly model_digest?: components["schemas"]["ModelDigest"];
        };
        /** @description Everything the output depends on; the same values in one replica set give the same bytes. */
        readonly TaskProof: {
            readonly seed: components["schemas"]["Seed"];
            readonly engine: components["schemas"]["Engine"];
            readonly engine_version: components["schemas"]["VersionText"];
            readonly model_digest: components["schemas"]["ModelDigest"];
            readonly sampler_profile_version: components["schemas"]["Name"];
            readonly replica_set_id?: components["schemas"]["Name"];
            readonly output_sha256: components["schemas"]["Sha256"];
        };
        readonly Task: {
            readonly task_id: components["schemas"]["Uuid"];
            readonly state: components["schemas"]["TaskState"];
            readonly workload: components["schemas"]["Workload"];
            readonly session_id?: components["schemas"]["Uuid"];
            readonly pool_id: components["schemas"]["Name"];
            readonly model_id?: components["schemas"]["Name"];
            readonly priority: components["schemas"]["Priority"];
            readonly determinism: components["schemas"]["Determinism"];
            readonly seed: components["schemas"]["Seed"];
            readonly accepted_at_ms: components["schemas"]["EpochMillis"];
            readonly deadline_at_ms?: components["schemas"]["EpochMillis"];
            /** @description Last dispatch to a slot. */
            readonly started_at_ms?: components["schemas"]["EpochMillis"];
            readonly ended_at_ms?: components["schemas"]["EpochMillis"];
            /** @description Place in the queue, 1 is next; only while queued. */
            readonly queue_position?: components["schemas"]["Count"];
            /** @description From this answer on; only while queued. */
            readonly predicted_start_ms?: components["schemas"]["Millis"];
            /** @description As predicted at admission and from there on. */
            readonly predicted_first_token_ms?: components["schemas"]["Millis"];
            readonly predicted_interval_ms?: components["schemas"]["MillisInterval"];
            /** @description As things are; after the end, as it was told at admission. */
            readonly on_time_probability?: components["schemas"]["Probability"];
            /** @description Dispatches so far. */
            readonly attempts: components["schemas"]["Count"];
            readonly finish_reason?: components["schemas"]["FinishReason"];
            readonly usage?: components["schemas"]["Usage"];
            /** @description Of the text; of embeddings and a ranking, of `result` as canonical JSON (RFC 8785). */
            readonly output_sha256?: components["schemas"]["Sha256"];
            readonly result?: components["schemas"]["TaskResult"];
            readonly error?: components["schemas"]["ErrorEnvelope"];
            readonly replica?: components["schemas"]["TaskReplica"];
            readonly proof?: components["schemas"]["TaskProof"];
            readonly metadata?: {
                readonly [key: string]: string;
            };
        };
        readonly TaskPage: {
            readonly items: readonly components["schemas"]["Task"][];
            /** @description Absent on the last page. */
            readonly next_cursor?: string;
        };
        readonly SessionInfo: {
            readonly session_id: components["schemas"]["Uuid"];
            readonly pool_id?: components["schemas"]["Name"];
            readonly ttl_ms_remaining: components["schemas"]["Millis"];
            /** @description Turns taken. */
            readonly turns: components["schemas"]["Count"];
            readonly max_turns?: components["schemas"]["Count"];
            /** @description Estimated size of the session's KV. */
            readonly kv_bytes: components["schemas"]["Count"];
            /** @description Whether a replica holds the session's KV. */
            readonly kv_warmth: boolean;
            /** @description The replica that holds it. */
            readonly replica_id?: components["schemas"]["Name"];
            /** @description Tokens in and out, over all turns. */
            readonly tokens_total: components["schemas"]["Count"];
            readonly tokens_budget_remaining?: components["schemas"]["Count"];
            readonly time_budget_remaining_ms?: components["schemas"]["Millis"];
            readonly cost_budget_remaining?: number;
        };
        /** @description Server-sent events, each with `id`, `event` and one line of JSON `data`: `started` once (StartedEvent), then `token` (TokenEvent) with `metrics` (MetricsEvent) between, then exactly one `end` (EndEvent) or `error` (ErrorEvent). A task that ends while it waits sends that last event alone. Idle streams carry a comment line every 15 s. An embedding or a rerank sends no `token`: its result is in the task once the `end` has come. */
        readonly TaskStream: string;
        readonly StartedEvent: {
            readonly queue_position: components["schemas"]["Count"];
            readonly predicted_start_ms: components["schemas"]["Millis"];
            readonly replica_id?: components["schemas"]["Name"];
            readonly engine_version?: components["schemas"]["VersionText"];
            readonly model_digest?: components["schemas"]["ModelDigest"];
            readonly seed?: components["schemas"]["Seed"];
            readonly kv_warmth?: boolean;
        };
        readonly TokenEvent: {
            /** @description Text. */
            readonly t: string;
            /** @description 0-based index; no gaps, no repeats. */
            readonly i: components["schemas"]["Count"];
            /** @description One for each engine token reported with this text, when the task asked for them. After a crash, a token whose text had been sent in part comes without. */
            readonly logprobs?: readonly components["schemas"]["TokenLogprob"][];
        };
        /** @description A token and its natural-log probability before any sampling filter, temperature or grammar: what llama.cpp calls pre-sampling. `top` holds the likeliest tokens at this place, likeliest first. */
        readonly TokenLogprob: {
            readonly token: components["schemas"]["TokenText"];
            readonly logprob: components["schemas"]["Logprob"];
            readonly top: readonly {
                readonly token: components["schemas"]["TokenText"];
                readonly logprob: components["schemas"]["Logprob"];
            }[];
        };
        /** @description Text of one engine token; empty for a control token. */
        readonly TokenText: string;
        readonly Logprob: number;
        /** @description About every second and once before the end. Fields appear where they apply. */
        readonly MetricsEvent: {
            readonly on_time_probability?: components["schemas"]["Probability"];
            /** @description Tasks waiting in the pool. */
            readonly queue_depth?: components["schemas"]["Count"];
            readonly kv_warmth?: boolean;
            readonly tokens_budget_remaining?: components["schemas"]["Count"];
            readonly time_budget_remaining_ms?: components["schemas"]["Millis"];
            readonly cost_budget_remaining?: number;
            /** @description Tokens so far. */
            readonly tokens_out?: components["schemas"]["Count"];
            /** @description How often the task was preempted so far. */
            readonly preempted?: components["schemas"]["Count"];
        };
        readonly EndEvent: {
            readonly tokens_out: components["schemas"]["Count"];
            /** @description First to last token. */
            readonly decode_ms: components["schemas"]["Millis"];
            readonly tokens_in?: components["schemas"]["Count"];
            readonly cached_tokens?: components["schemas"]["Count"];
            readonly finish_reason?: components["schemas"]["FinishReason"];
            readonly queue_ms?: components["schemas"]["Millis"];
            readonly ttft_ms?: components["schemas"]["Millis"];
            readonly preemptions?: components["schemas"]["Count"];
            readonly output_sha256?: components["schemas"]["Sha256"];
        };
        readonly ErrorEvent: {
            readonly code: components["schemas"]["ErrorKind"];
            readonly message: string;
            readonly engine?: string;
            readonly retriable?: boolean;
            readonly retry_after_ms?: components["schemas"]["Millis"];
        };
        /** @description A task's output beside that of a second run of the same request and seed. */
        readonly TaskVerification: {
            readonly task_id: components["schemas"]["Uuid"];
            readonly verified_by_task_id: components["schemas"]["Uuid"];
            /** @description Both gave the same bytes. */
            readonly match: boolean;
            /** @description Where the task ran. */
            readonly replica_id: components["schemas"]["Name"];
            /** @description Where it ran again. */
            readonly verified_on_replica_id: components["schemas"]["Name"];
            readonly replica_set_id: components["schemas"]["Name"];
            /** @description Tokens of the task up to its end, or with the first that differs. */
            readonly tokens_compared: components["schemas"]["Count"];
            readonly output_sha256: components["schemas"]["Sha256"];
            readonly verified_sha256: components["schemas"]["Sha256"];
            readonly first_difference?: components["schemas"]["TokenDifference"];
        };
        /** @description The first token that differs; a run that had ended by then has none there. */
        readonly TokenDifference: {
            /** @description Of the token in the task, from 0. */
            readonly index: components["schemas"]["Count"];
            /** @description What the task said. */
            readonly expected?: string;
            /** @description What the second run said. */
            readonly actual?: string;
        };
        readonly TaskExplanation: {
            readonly task_id: components["schemas"]["Uuid"];
            readonly state: components["schemas"]["TaskState"];
            /** @description Oldest first. */
            readonly entries: readonly components["schemas"]["ExplanationEntry"][];
        };
        /** @description Told apart by `kind`. `at_ms` is when it was so, for a wait when it began. */
        readonly ExplanationEntry: components["schemas"]["AcceptedEntry"] | components["schemas"]["WaitedEntry"] | components["schemas"]["DispatchedEntry"] | components["schemas"]["FirstTokenEntry"] | components["schemas"]["RequeuedEntry"] | components["schemas"]["RestartedEntry"] | components["schemas"]["OmittedEntry"] | components["schemas"]["WaitingEntry"] | components["schemas"]["EndedEntry"];
        /** @description The entry in words, for people; not to be parsed. */
        readonly Sentence: string;
        /** @description What was promised at admission. */
        readonly AcceptedEntry: {
            /** @enum {string} */
            readonly kind: "accepted";
            readonly at_ms: components["schemas"]["EpochMillis"];
            readonly summary: components["schemas"]["Sentence"];
            readonly queue_position: components["schemas"]["Count"];
            readonly predicted_start_ms: components["schemas"]["Millis"];
            readonly predicted_first_token_ms?: components["schemas"]["Millis"];
            readonly predicted_interval_ms?: components["schemas"]["MillisInterval"];
            readonly deadline_at_ms?: components["schemas"]["EpochMillis"];
            readonly on_time_probability?: components["schemas"]["Probability"];
        };
        /** @description A wait that ended, with a dispatch or with the task. Without `causes` they are not known any more. */
        readonly WaitedEntry: {
            /** @enum {string} */
            readonly kind: "waited";
            readonly at_ms: components["schemas"]["EpochMillis"];
            readonly summary: components["schemas"]["Sentence"];
            readonly waited_ms: components["schemas"]["Millis"];
            readonly causes?: components["schemas"]["WaitCauses"];
            readonly went_first?: components["schemas"]["WentFirst"];
            readonly went_first_truncated?: components["schemas"]["WentFirstTruncated"];
        };
        /** @description Without `replicas` it is not known any more what the others would have meant. */
        readonly DispatchedEntry: {
            /** @enum {string} */
            readonly kind: "dispatched";
            readonly at_ms: components["schemas"]["EpochMillis"];
            readonly summary: components["schemas"]["Sentence"];
            /** @description 1 for the first. */
            readonly attempt: components["schemas"]["Count"];
            readonly replica_id: components["schemas"]["Name"];
            /** @description Expected from the dispatch on. */
            readonly expected_first_token_ms?: components["schemas"]["Millis"];
            /** @description A running task was stopped to make room. */
            readonly stopped_another?: boolean;
            readonly replicas?: components["schemas"]["ReplicaVerdicts"];
        };
        readonly FirstTokenEntry: {
            /** @enum {string} */
            readonly kind: "first-token";
            readonly at_ms: components["schemas"]["EpochMillis"];
            readonly summary: components["schemas"]["Sentence"];
            /** @description Admission to first token. */
            readonly ttft_ms: components["schemas"]["Millis"];
            /** @description What admission had predicted of it. */
            readonly predicted_first_token_ms?: components["schemas"]["Millis"];
            readonly predicted_interval_ms?: components["schemas"]["MillisInterval"];
        };
        readonly RequeuedEntry: {
            /** @enum {string} */
            readonly kind: "requeued";
            readonly at_ms: components["schemas"]["EpochMillis"];
            readonly summary: components["schemas"]["Sentence"];
            /**
             * @description What ended the attempt.
             * @enum {string}
             */
            readonly reason: "fault" | "idle-timeout" | "replica-gone" | "replica-crashed" | "drain" | "recovery" | "preempted";
        };
        /** @description The daemon was started again; of what came before, only the durable facts are left. */
        readonly RestartedEntry: {
            /** @enum {string} */
            readonly kind: "restarted";
            readonly at_ms: components["schemas"]["EpochMillis"];
            readonly summary: components["schemas"]["Sentence"];
        };
        /** @description Entries that are not kept. Without `entries` none were ever recorded. */
        readonly OmittedEntry: {
            /** @enum {string} */
            readonly kind: "omitted";
            readonly at_ms: components["schemas"]["EpochMillis"];
            readonly summary: components["schemas"]["Sentence"];
            readonly entries?: components["schemas"]["Count"];
        };
        /** @description Why a queued task waits, at the time of the answer. */
        readonly WaitingEntry: {
            /** @enum {string} */
            readonly kind: "waiting";
            readonly at_ms: components["schemas"]["EpochMillis"];
            readonly summary: components["schemas"]["Sentence"];
            readonly waited_ms: components["schemas"]["Millis"];
            /**
             * @description What it waits for: as in `causes`, or its tenant runs as many tasks as it may, or it is held for a busy replica that is quicker after a wait than an open one now.
             * @enum {string}
             */
            readonly cause: "pool-draining" | "pool-unavailable" | "no-matching-replica" | "no-ready-replica" | "model-not-loaded" | "no-free-slot" | "no-kv-room" | "replicas-prefilling" | "turn" | "tenant-limit" | "held";
            readonly causes: components["schemas"]["WaitCauses"];
            readonly queue_position: components["schemas"]["Count"];
            /** @description Waiting tasks before it. */
            readonly ahead: components["schemas"]["Count"];
            /** @description From this answer on. */
            readonly predicted_start_ms?: components["schemas"]["Millis"];
            readonly on_time_probability?: components["schemas"]["Probability"];
            /** @description The replica it is held for. */
            readonly held_for?: components["schemas"]["Name"];
            readonly went_first: components["schemas"]["WentFirst"];
            readonly went_first_truncated?: components["schemas"]["WentFirstTruncated"];
            readonly replicas?: components["schemas"]["ReplicaVerdicts"];
        };
        readonly EndedEntry: {
            /** @enum {string} */
            readonly kind: "ended";
            readonly at_ms: components["schemas"]["EpochMillis"];
            readonly summary: components["schemas"]["Sentence"];
            readonly state: components["schemas"]["TaskState"];
            readonly finish_reason?: components["schemas"]["FinishReason"];
            readonly code?: components["schemas"]["ErrorKind"];
            /** @description From admission. */
            readonly total_ms: components["schemas"]["Millis"];
            /** @description Only for a task with a deadline that was not canceled. */
            readonly deadline_kept?: boolean;
        };
        /** @description What kept the task from being dispatched meanwhile, longest first; causes without any time are left out. `turn`: a replica was open, and it was not the task's turn. `no-matching-replica`: no replica of the pool had the labels and devices that it names. `before-restart`: the time until the daemon was last started, in which it was down or had reasons that are not known any more. */
        readonly WaitCauses: readonly {
            /** @enum {string} */
            readonly cause: "before-restart" | "pool-draining" | "pool-unavailable" | "no-matching-replica" | "no-ready-replica" | "model-not-loaded" | "no-free-slot" | "no-kv-room" | "replicas-prefilling" | "turn";
            readonly ms: components["schemas"]["Millis"];
        }[];
        /** @description Tasks dispatched during the wait, grouped; the largest groups first. */
        readonly WentFirst: readonly {
            /** @description The tenant; `another tenant` for one whose name the caller may not see. */
            readonly tenant: string;
            readonly priority: components["schemas"]["Priority"];
            /**
             * @description `arrived-earlier` and `more-urgent` by the time at which each should start; `class-share` and `tenant-share` where the other had received less for its weight; `preempted` where this task was stopped for it, `was-late` where this task came after those that could still be in time, and `could-run` where the other could start and this one had to wait, for a replica that fits it, for a better one, or for its tenant's limit.
             * @enum {string}
             */
            readonly reason: "arrived-earlier" | "more-urgent" | "class-share" | "tenant-share" | "preempted" | "was-late" | "could-run";
            readonly tasks: components["schemas"]["Count"];
        }[];
        /** @description Present when `went_first` counts only a part of them, because there were more. */
        readonly WentFirstTruncated: boolean;
        /** @description The replicas considered, the chosen one first, then by estimate. */
        readonly ReplicaVerdicts: readonly {
            readonly replica_id: components["schemas"]["Name"];
            /**
             * @description `chosen`, `open` to a task that waits, or why it was not the one.
             * @enum {string}
             */
            readonly verdict: "chosen" | "open" | "not-ready" | "resting" | "other-set" | "canary-share" | "device" | "labels" | "excluded" | "anti-affinity" | "no-slot" | "not-idle" | "no-kv-room" | "prefilling" | "kept-back" | "slower";
            /** @description Expected time to the first token there; absent where it cannot go. */
            readonly first_token_ms?: components["schemas"]["Millis"];
            /** @description Prompt tokens believed cached there. */
            readonly cached_tokens: components["schemas"]["Count"];
        }[];
        /** @enum {string} */
        readonly ErrorKind: "INVALID_PARAMS" | "DEADLINE_UNMET" | "UNTRUSTED_ARTIFACT" | "UNAUTHORIZED" | "FORBIDDEN" | "MODEL_DEPRECATED" | "POLICY_DENIED" | "NOT_FOUND" | "CONFLICT" | "PAYLOAD_TOO_LARGE" | "ADMISSION_REJECT" | "QUEUE_FULL_DROP_LRU" | "RATE_LIMITED" | "QUOTA_EXCEEDED" | "BUDGET_EXHAUSTED" | "INTERNAL" | "DECODE_TIMEOUT" | "WORKER_RESET" | "TASK_CANCELED" | "POOL_UNREADY" | "POOL_UNAVAILABLE" | "REPLICA_EXHAUSTED";
        /** @enum {string} */
        readonly PolicyLabel: "reject" | "drop-lru" | "shed-low-priority" | "rate-limit" | "quota" | "budget";
        readonly FaultDetail: {
            /** @description A JSON pointer into the body, or the name of a parameter or header. */
            readonly path: string;
            readonly message: string;
        };
        readonly ErrorEnvelope: {
            readonly code: components["schemas"]["ErrorKind"];
            readonly message: string;
            /** @description Whether the same request may succeed later. */
            readonly retriable: boolean;
            readonly engine?: string;
            readonly pool_id?: components["schemas"]["Name"];
            readonly retry_after_ms?: components["schemas"]["Millis"];
            readonly policy_label?: components["schemas"]["PolicyLabel"];
            /** @description With DEADLINE_UNMET at admission, the shortest deadline_ms that could be kept. */
            readonly earliest_feasible_ms?: components["schemas"]["Millis"];
            readonly details?: readonly components["schemas"]["FaultDetail"][];
        };
        /** @description The envelope of a 429, which always names its policy and the wait. */
        readonly BackpressureEnvelope: components["schemas"]["ErrorEnvelope"] & {
            /** @enum {unknown} */
            readonly code: "ADMISSION_REJECT" | "QUEUE_FULL_DROP_LRU" | "RATE_LIMITED" | "QUOTA_EXCEEDED" | "BUDGET_EXHAUSTED";
        };
    };
    responses: {
        /** @description INVALID_PARAMS, DEADLINE_UNMET or UNTRUSTED_ARTIFACT. `details` names what is at fault. */
        readonly BadRequest: {
            headers: {
                readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/json": components["schemas"]["ErrorEnvelope"];
            };
        };
        /** @description UNAUTHORIZED. No key, or one that is not known. */
        readonly Unauthorized: {
            headers: {
                readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                readonly "WWW-Authenticate": components["headers"]["WWW-Authenticate"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/json": components["schemas"]["ErrorEnvelope"];
            };
        };
        /** @description FORBIDDEN, which names the scope the key lacks, MODEL_DEPRECATED or POLICY_DENIED. */
        readonly Forbidden: {
            headers: {
                readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/json": components["schemas"]["ErrorEnvelope"];
            };
        };
        /** @description NOT_FOUND. There is none, or it belongs to another tenant. */
        readonly NotFound: {
            headers: {
                readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/json": components["schemas"]["ErrorEnvelope"];
            };
        };
        /** @description CONFLICT. The same id came before with another body, or from another tenant: task ids are one namespace, so choose them at random. Or the task is in no state for what is asked of it. */
        readonly Conflict: {
            headers: {
                readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/json": components["schemas"]["ErrorEnvelope"];
            };
        };
        /** @description NOT_FOUND. The task is known, but what it said and did is no longer kept. */
        readonly Gone: {
            headers: {
                readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/json": components["schemas"]["ErrorEnvelope"];
            };
        };
        /** @description PAYLOAD_TOO_LARGE. The body is above the configured limit. */
        readonly PayloadTooLarge: {
            headers: {
                readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/json": components["schemas"]["ErrorEnvelope"];
            };
        };
        /** @description INVALID_PARAMS. The body is not application/json in UTF-8. */
        readonly UnsupportedMediaType: {
            headers: {
                readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/json": components["schemas"]["ErrorEnvelope"];
            };
        };
        /** @description ADMISSION_REJECT, QUEUE_FULL_DROP_LRU, RATE_LIMITED, QUOTA_EXCEEDED or BUDGET_EXHAUSTED. `policy_label` names the rule that refused. */
        readonly TooManyRequests: {
            headers: {
                readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                readonly "Retry-After": components["headers"]["Retry-After"];
                readonly "X-Backoff-Ms": components["headers"]["X-Backoff-Ms"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/json": components["schemas"]["BackpressureEnvelope"];
            };
        };
        /** @description INTERNAL, or DECODE_TIMEOUT and WORKER_RESET where a caller waits for the whole answer. */
        readonly Internal: {
            headers: {
                readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/json": components["schemas"]["ErrorEnvelope"];
            };
        };
        /** @description POOL_UNREADY, POOL_UNAVAILABLE or REPLICA_EXHAUSTED. */
        readonly Unavailable: {
            headers: {
                readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                readonly "Retry-After": components["headers"]["Retry-After"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/json": components["schemas"]["ErrorEnvelope"];
            };
        };
        /** @description Any other refusal: 405, 406, 408, 414, 415 and 431 carry code INVALID_PARAMS, 501 and above INTERNAL or a pool's code. Always the envelope, never an HTML page. */
        readonly OtherError: {
            headers: {
                readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                readonly "Retry-After": components["headers"]["Retry-After"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/json": components["schemas"]["ErrorEnvelope"];
            };
        };
    };
    parameters: {
        /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
        readonly CorrelationId: string;
        /** @description Makes a POST without a task_id safe to retry. Visible ASCII. */
        readonly IdempotencyKey: string;
        /** @description Cancel the task when this request's stream is left. Only with Accept text/event-stream. */
        readonly CancelOnDisconnect: boolean;
        /** @description The task_id, as it was sent or given. */
        readonly TaskId: components["schemas"]["Uuid"];
        /** @description The session_id, as it was sent. */
        readonly SessionId: components["schemas"]["Uuid"];
    };
    requestBodies: never;
    headers: {
        /** @description The request's correlation id, or one made for it. */
        readonly "X-Correlation-Id": string;
        /** @description Path of the task. */
        readonly Location: string;
        /** @description Seconds to wait, rounded up. */
        readonly "Retry-After": number;
        /** @description How to authenticate (RFC 6750). */
        readonly "WWW-Authenticate": string;
        /** @description Milliseconds to wait; the same figure as Retry-After, not rounded. */
        readonly "X-Backoff-Ms": number;
        /** @description Place in the queue at admission; 1 is next, 0 started at once. */
        readonly "X-Queue-Position": number;
        /** @description Predicted wait at admission, ms. */
        readonly "X-Queue-ETA-Ms": number;
        /** @description Tokens left; only when the session or tenant has such a budget. */
        readonly "X-Budget-Tokens-Remaining": number;
        /** @description Engine time left, ms; only when there is such a budget. */
        readonly "X-Budget-Time-Remaining-Ms": number;
        /** @description Cost left; only when there is such a budget. */
        readonly "X-Budget-Cost-Remaining": number;
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    readonly listTasks: {
        readonly parameters: {
            readonly query?: {
                /** @description Only tasks in this state. */
                readonly state?: components["schemas"]["TaskState"];
                /** @description Only tasks of this session. */
                readonly session_id?: components["schemas"]["Uuid"];
                /** @description Only tasks of this class. */
                readonly priority?: components["schemas"]["Priority"];
                /** @description Tasks per page. */
                readonly limit?: number;
                /** @description `next_cursor` of the page before. Opaque. */
                readonly cursor?: string;
            };
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description A page of tasks. Results and proofs are left out; look a task up to get them. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["TaskPage"];
                };
            };
            readonly 400: components["responses"]["BadRequest"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly createTask: {
        readonly parameters: {
            readonly query?: {
                /** @description Cancel the task when this request's stream is left. Only with Accept text/event-stream. */
                readonly cancel_on_disconnect?: components["parameters"]["CancelOnDisconnect"];
            };
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
                /** @description Makes a POST without a task_id safe to retry. Visible ASCII. */
                readonly "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": components["schemas"]["TaskRequest"];
            };
        };
        readonly responses: {
            /** @description The task's stream, asked for with `Accept text/event-stream`. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly Location: components["headers"]["Location"];
                    readonly "X-Queue-Position": components["headers"]["X-Queue-Position"];
                    readonly "X-Queue-ETA-Ms": components["headers"]["X-Queue-ETA-Ms"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "text/event-stream": components["schemas"]["TaskStream"];
                };
            };
            /** @description Admitted and durable. */
            readonly 202: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly Location: components["headers"]["Location"];
                    readonly "X-Queue-Position": components["headers"]["X-Queue-Position"];
                    readonly "X-Queue-ETA-Ms": components["headers"]["X-Queue-ETA-Ms"];
                    readonly "X-Budget-Tokens-Remaining": components["headers"]["X-Budget-Tokens-Remaining"];
                    readonly "X-Budget-Time-Remaining-Ms": components["headers"]["X-Budget-Time-Remaining-Ms"];
                    readonly "X-Budget-Cost-Remaining": components["headers"]["X-Budget-Cost-Remaining"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["AdmissionResponse"];
                };
            };
            readonly 400: components["responses"]["BadRequest"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["NotFound"];
            readonly 409: components["responses"]["Conflict"];
            readonly 413: components["responses"]["PayloadTooLarge"];
            readonly 415: components["responses"]["UnsupportedMediaType"];
            readonly 429: components["responses"]["TooManyRequests"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly getTask: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The task_id, as it was sent or given. */
                readonly id: components["parameters"]["TaskId"];
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The task as it stands. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Task"];
                };
            };
            readonly 400: components["responses"]["BadRequest"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["NotFound"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly streamTask: {
        readonly parameters: {
            readonly query?: {
                /** @description Send only events with a greater id. Last-Event-ID wins when both are given. */
                readonly after?: number;
            };
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
                /** @description The id of the last event received, as browsers send it on reconnecting. */
                readonly "Last-Event-ID"?: string;
            };
            readonly path: {
                /** @description The task_id, as it was sent or given. */
                readonly id: components["parameters"]["TaskId"];
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The task's events, each exactly once and in order. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "text/event-stream": components["schemas"]["TaskStream"];
                };
            };
            readonly 400: components["responses"]["BadRequest"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["NotFound"];
            readonly 410: components["responses"]["Gone"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly explainTask: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The task_id, as it was sent or given. */
                readonly id: components["parameters"]["TaskId"];
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The timeline as far as it is known. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["TaskExplanation"];
                };
            };
            readonly 400: components["responses"]["BadRequest"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["NotFound"];
            readonly 410: components["responses"]["Gone"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly verifyTask: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The task_id, as it was sent or given. */
                readonly id: components["parameters"]["TaskId"];
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Whether both runs gave the same bytes. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["TaskVerification"];
                };
            };
            readonly 400: components["responses"]["BadRequest"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["NotFound"];
            readonly 409: components["responses"]["Conflict"];
            readonly 410: components["responses"]["Gone"];
            readonly 429: components["responses"]["TooManyRequests"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly cancelTask: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The task_id, as it was sent or given. */
                readonly id: components["parameters"]["TaskId"];
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Canceled, or over already. */
            readonly 204: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            readonly 400: components["responses"]["BadRequest"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["NotFound"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly getSession: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The session_id, as it was sent. */
                readonly id: components["parameters"]["SessionId"];
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The session. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly "X-Budget-Tokens-Remaining": components["headers"]["X-Budget-Tokens-Remaining"];
                    readonly "X-Budget-Time-Remaining-Ms": components["headers"]["X-Budget-Time-Remaining-Ms"];
                    readonly "X-Budget-Cost-Remaining": components["headers"]["X-Budget-Cost-Remaining"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["SessionInfo"];
                };
            };
            readonly 400: components["responses"]["BadRequest"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["NotFound"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly deleteSession: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The session_id, as it was sent. */
                readonly id: components["parameters"]["SessionId"];
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The session is gone. */
            readonly 204: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
            readonly 400: components["responses"]["BadRequest"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["NotFound"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
}
