import { expect, test } from 'vitest';
import { metricsUrlOf } from './metrics-url.ts';

test.each([
  ['http://gpu-1:8000', 'http://gpu-1:8002/metrics'],
  ['http://127.0.0.1:18000', 'http://127.0.0.1:18002/metrics'],
  ['http://[::1]:8000/', 'http://[::1]:8002/metrics'],
  ['https://triton.example', undefined],
  ['http://triton.example:80', undefined],
  ['http://gateway:8000/triton', undefined],
  ['http://gpu-1:65535', undefined],
])('OC-ADAPT-5069 the metrics of %s are at %s', (url, metricsUrl) => {
  expect(metricsUrlOf({ url })).toBe(metricsUrl);
});

test.each([
  ['http://gpu-1:9100/metrics', 'http://gpu-1:9100/metrics'],
  ['http://{host}:9100/metrics', 'http://gpu-2:9100/metrics'],
])('OC-ADAPT-5069 the operator’s word %s wins', (metricsUrl, expected) => {
  expect(metricsUrlOf({ url: 'http://gpu-2:8000', metricsUrl })).toBe(expected);
});
