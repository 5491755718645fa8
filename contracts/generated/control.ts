// Made by `npm run contracts` from contracts/openapi; not edited by hand.
export interface paths {
    readonly "/v1/capabilities": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** Engines, workloads and limits of this daemon. */
        readonly get: operations["getCapabilities"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/replicasets": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** Replicas grouped by everything their output depends on. */
        readonly get: operations["listReplicaSets"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/pools": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** The configured pools and how they are. */
        readonly get: operations["listPools"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/pools/{id}/health": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** Whether a pool lives, is ready, drains, and why not. */
        readonly get: operations["getPoolHealth"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/pools/{id}/drain": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Stop dispatching to a pool.
         * @description Nothing new is dispatched at once; running tasks finish until the deadline, then they are queued again or end with a typed error. Draining a draining pool sets the new deadline.
         */
        readonly post: operations["drainPool"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/pools/{id}/undrain": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /** Dispatch to a drained pool again. Idempotent. */
        readonly post: operations["undrainPool"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/pools/{id}/reload": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Serve another model.
         * @description Replicas of the new model are started beside the old ones where memory allows, else instead of them, one at a time, and take work once they have passed their self-test; what runs on the old ones finishes. When one fails the old model serves on, and the pool's last_error says why. It holds until the daemon ends. Of a pool on hosts all change: when one fails all go back. There it holds until the next change, also for hosts that come later.
         */
        readonly post: operations["reloadPool"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/pools/{id}/canary": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Try another model on a share of the tasks.
         * @description Replicas of the new model are started beside the others. Once they are ready they get that percentage of the sessions, and of the tasks without one; while none is ready they get nothing. On hosts its replicas are spread over them.
         */
        readonly post: operations["canaryPool"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/pools/{id}/promote": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Make the canary's model the pool's.
         * @description The other replicas are replaced as by a reload; those of the canary stay.
         */
        readonly post: operations["promotePool"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/pools/{id}/rollback": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * End a canary, or a reload that is under way.
         * @description All is as before; what runs on the replicas that go finishes there.
         */
        readonly post: operations["rollbackPool"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/events": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The ledger's events, as a page or as a stream.
         * @description Events name tasks, pools and outcomes of every tenant; they never carry a prompt, an output or a key.
         */
        readonly get: operations["listEvents"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/healthz": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** The process answers. */
        readonly get: operations["getLiveness"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/readyz": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** Whether tasks can be taken and served. */
        readonly get: operations["getReadiness"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/metrics": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** Prometheus metrics. */
        readonly get: operations["getMetrics"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/openapi/data.yaml": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** The data plane's contract. */
        readonly get: operations["getDataContract"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/openapi/control.yaml": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** This contract. */
        readonly get: operations["getControlContract"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/openapi/pool.yaml": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** The contract with hosts that run pool-managerd. */
        readonly get: operations["getPoolContract"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        readonly Capabilities: {
            readonly api_version: string;
            readonly engines: readonly components["schemas"]["EngineCapabilities"][];
        };
        readonly EngineCapabilities: {
            readonly engine: components["schemas"]["Engine"];
            /** @description Largest context of one slot, tokens. */
            readonly ctx_max: components["schemas"]["Count"];
            readonly supported_workloads: readonly components["schemas"]["Workload"][];
            readonly rate_limits: components["schemas"]["RateLimits"];
            readonly features: readonly components["schemas"]["Name"][];
            /** @description What every pool of the engine promises: the least that one of them does. */
            readonly determinism?: components["schemas"]["PromisedDeterminism"];
            readonly models: readonly components["schemas"]["ServedModel"][];
        };
        /**
         * @description exact: the same prompt, seed and sampling give the same bytes on every replica, so tasks may be strict, and are unless they say otherwise. alone: so they do only while nothing else runs on the replica; tasks are best_effort, and one that asks for strict waits for an idle replica and has it to itself. none: tasks are best_effort, and a task that insists on strict is refused.
         * @enum {string}
         */
        readonly PromisedDeterminism: "exact" | "alone" | "none";
        /** @description Of the caller's tenant; absent fields are unlimited. */
        readonly RateLimits: {
            readonly requests_per_second?: number;
            readonly burst?: components["schemas"]["Count"];
            readonly max_concurrent?: components["schemas"]["Count"];
        };
        readonly ServedModel: {
            readonly id: components["schemas"]["Name"];
            readonly pool_id: components["schemas"]["Name"];
            readonly digest?: components["schemas"]["ModelDigest"];
            readonly aliases?: readonly string[];
            readonly workloads?: readonly components["schemas"]["Workload"][];
            readonly determinism?: components["schemas"]["PromisedDeterminism"];
        };
        readonly Replica: {
            readonly replica_id: components["schemas"]["Name"];
            readonly replica_set_id?: components["schemas"]["Name"];
            readonly engine: components["schemas"]["Engine"];
            readonly engine_version?: components["schemas"]["VersionText"];
            readonly model_id?: components["schemas"]["Name"];
            readonly model_digest?: components["schemas"]["ModelDigest"];
            readonly quant?: string;
            readonly device?: string;
            readonly url?: string;
            /** @enum {string} */
            readonly state: "starting" | "loading" | "self-test" | "ready" | "unready" | "backoff" | "draining" | "stopped" | "failed";
            readonly slots_total: components["schemas"]["Count"];
            readonly slots_free: components["schemas"]["Count"];
            /** @description Context per slot, tokens. */
            readonly ctx?: components["schemas"]["Count"];
            readonly restarts: components["schemas"]["Count"];
            /** @description Of a canary; the percentage of tasks that it is for. */
            readonly canary_percent?: components["schemas"]["Percent"];
            readonly ready_since_ms?: components["schemas"]["EpochMillis"];
            readonly last_error?: string;
            readonly determinism?: components["schemas"]["ReplicaDeterminism"];
        };
        /** @description What audits found of the replica since it was started; absent before the first one. It drifts when `drifted` is above 0, and may do so while it is `suspected`. */
        readonly ReplicaDeterminism: {
            /** @description Comparisons of its output with that of another replica. */
            readonly audits: components["schemas"]["Count"];
            /** @description Those in which two others agreed against it. */
            readonly drifted: components["schemas"]["Count"];
            /** @description Its output differed from that of another, and no third replica decided between them. */
            readonly suspected: boolean;
            readonly last_drift_at_ms?: components["schemas"]["EpochMillis"];
            /** @description The audited task; only told to keys with the scope `admin`. */
            readonly last_drift_task_id?: components["schemas"]["Uuid"];
        };
        readonly PoolMetrics: {
            /** @description Waiting tasks. */
            readonly queue_depth: components["schemas"]["Count"];
            readonly queue_depth_interactive: components["schemas"]["Count"];
            readonly queue_depth_batch: components["schemas"]["Count"];
            readonly queue_capacity: components["schemas"]["Count"];
            readonly running: components["schemas"]["Count"];
            readonly slots_total: components["schemas"]["Count"];
            readonly slots_free: components["schemas"]["Count"];
            readonly kv_cache_usage_ratio?: number;
        };
        readonly PoolHealth: {
            readonly pool_id: components["schemas"]["Name"];
            /** @description Some replica answers. */
            readonly live: boolean;
            /** @description At least one replica can serve. */
            readonly ready: boolean;
            readonly draining: boolean;
            /** @description False when no replica is ready and none can come back by itself. */
            readonly recoverable?: boolean;
            /** @description Absent while nothing went wrong. */
            readonly last_error?: string;
            readonly metrics: components["schemas"]["PoolMetrics"];
            readonly replicas: readonly components["schemas"]["Replica"][];
            readonly learned?: components["schemas"]["PoolLearning"];
            /** @description False while the pool has no replicas by intention. */
            readonly loaded?: boolean;
            readonly change?: components["schemas"]["PoolChange"];
            readonly model_id?: components["schemas"]["Name"];
            /** @description What the configuration names, while the pool serves another model. */
            readonly configured_model_id?: components["schemas"]["Name"];
        };
        /** @description What the pool's predictions rest on. */
        readonly PoolLearning: {
            /** @description Completed tasks seen. */
            readonly samples: components["schemas"]["Count"];
            /** @description Mean time that a task holds a slot; a guess while there are no samples. */
            readonly mean_hold_ms: components["schemas"]["Millis"];
        };
        readonly Pool: {
            readonly id: components["schemas"]["Name"];
            readonly engine: components["schemas"]["Engine"];
            /** @enum {string} */
            readonly launch: "embedded" | "process" | "external" | "remote";
            readonly model_id: components["schemas"]["Name"];
            /** @description What the configuration names, while the pool serves another model. */
            readonly configured_model_id?: components["schemas"]["Name"];
            readonly device: string;
            /** @enum {string} */
            readonly full_policy: "reject" | "drop-lru" | "shed-low-priority";
            readonly live: boolean;
            readonly ready: boolean;
            readonly draining: boolean;
            readonly metrics: components["schemas"]["PoolMetrics"];
        };
        readonly PoolList: {
            readonly items: readonly components["schemas"]["Pool"][];
        };
        readonly ReplicaSetList: {
            readonly items: readonly components["schemas"]["ReplicaSet"][];
        };
        readonly ReplicaSet: {
            readonly id: components["schemas"]["Name"];
            readonly pool_id?: components["schemas"]["Name"];
            readonly engine: components["schemas"]["Engine"];
            readonly engine_version: components["schemas"]["VersionText"];
            readonly model_id?: components["schemas"]["Name"];
            readonly model_digest: components["schemas"]["ModelDigest"];
            readonly quant?: string;
            readonly ctx?: components["schemas"]["Count"];
            readonly sampler_profile_version: components["schemas"]["Name"];
            /** @description Busy slots over slots. */
            readonly load: number;
            readonly slots_total: components["schemas"]["Count"];
            readonly slots_free: components["schemas"]["Count"];
            readonly replicas: readonly components["schemas"]["Replica"][];
            readonly slo: components["schemas"]["SloSnapshot"];
        };
        /** @description What was observed over the last window, by class. */
        readonly SloSnapshot: {
            readonly window_ms: components["schemas"]["Millis"];
            readonly interactive: components["schemas"]["ClassSlo"];
            readonly batch: components["schemas"]["ClassSlo"];
        };
        /** @description Percentiles are absent while there was nothing to observe. */
        readonly ClassSlo: {
            /** @description Tasks that ended. */
            readonly tasks: components["schemas"]["Count"];
            /** @description Of those, the ones that failed. */
            readonly errors: components["schemas"]["Count"];
            /** @description Admission to first token. */
            readonly ttft_p50_ms?: number;
            readonly ttft_p95_ms?: number;
            /** @description Between tokens. */
            readonly token_p50_ms?: number;
            readonly token_p95_ms?: number;
        };
        readonly Percent: number;
        /** @description The id of an entry of `models` in the configuration, that of a pool's own model, or the absolute path of a model file on the host of the engine. Of a pool on hosts only the id of a model in their configurations. */
        readonly ModelRef: string;
        readonly ReloadRequest: {
            readonly new_model_ref: components["schemas"]["ModelRef"];
        };
        readonly CanaryRequest: {
            readonly new_model_ref: components["schemas"]["ModelRef"];
            readonly percent: components["schemas"]["Percent"];
            /** @description How many to start; no more than the pool has. Absent is one. */
            readonly replicas?: number;
        };
        /** @description What is being changed; a canary is until it is promoted or rolled back. */
        readonly PoolChange: {
            /** @enum {string} */
            readonly kind: "reload" | "canary" | "promotion" | "rollback";
            /** @description The model that comes; of a rollback the one that goes. */
            readonly model_id: components["schemas"]["Name"];
            readonly percent?: components["schemas"]["Percent"];
        };
        readonly PoolChangeStatus: {
            readonly pool_id: components["schemas"]["Name"];
            readonly change?: components["schemas"]["PoolChange"];
        };
        readonly DrainRequest: {
            /** @description How long running tasks may go on, ms from now. */
            readonly deadline_ms: number;
        };
        readonly DrainStatus: {
            readonly pool_id: components["schemas"]["Name"];
            readonly draining: boolean;
            /** @description Only while draining. */
            readonly deadline_ms?: components["schemas"]["Millis"];
            /** @description Tasks still on a slot. */
            readonly running: components["schemas"]["Count"];
        };
        readonly Event: {
            /** @description Strictly increasing, without gaps. */
            readonly seq: components["schemas"]["Count"];
            readonly at: components["schemas"]["EpochMillis"];
            readonly type: string;
            /** @description Version of this type's data. */
            readonly v: number;
            readonly task_id?: components["schemas"]["Uuid"];
            /** @description Facts of the event. Never what a client wrote or a model answered. */
            readonly data: {
                readonly [key: string]: unknown;
            };
        };
        readonly EventPage: {
            readonly items: readonly components["schemas"]["Event"][];
            /** @description Give it as `after` for the next page. */
            readonly next_after: components["schemas"]["Count"];
        };
        /** @description Server-sent events; `id` is the seq, `event` the type and `data` an Event. */
        readonly EventStream: string;
        readonly Liveness: {
            /** @constant */
            readonly status: "ok";
        };
        readonly Readiness: {
            /** @constant */
            readonly ready: true;
            readonly checks: readonly {
                readonly name: string;
                readonly ok: boolean;
                readonly detail?: string;
            }[];
        };
        /** @enum {string} */
        readonly ErrorKind: "INVALID_PARAMS" | "DEADLINE_UNMET" | "UNTRUSTED_ARTIFACT" | "UNAUTHORIZED" | "FORBIDDEN" | "MODEL_DEPRECATED" | "POLICY_DENIED" | "NOT_FOUND" | "CONFLICT" | "PAYLOAD_TOO_LARGE" | "ADMISSION_REJECT" | "QUEUE_FULL_DROP_LRU" | "RATE_LIMITED" | "QUOTA_EXCEEDED" | "BUDGET_EXHAUSTED" | "INTERNAL" | "DECODE_TIMEOUT" | "WORKER_RESET" | "TASK_CANCELED" | "POOL_UNREADY" | "POOL_UNAVAILABLE" | "REPLICA_EXHAUSTED";
        /** @description An id given by configuration or by the daemon. */
        readonly Name: string;
        /** @description A duration, ms. */
        readonly Millis: number;
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
        /** @enum {string} */
        readonly Engine: "llamacpp" | "vllm" | "tgi" | "triton" | "openai";
        readonly Count: number;
        /** @enum {string} */
        readonly Workload: "completion" | "embedding" | "rerank";
        /** @description SHA-256 of the model file; empty for an external engine whose file cannot be read. */
        readonly ModelDigest: string;
        readonly VersionText: string;
        /** @description Milliseconds since 1970-01-01T00:00:00Z. */
        readonly EpochMillis: number;
        /**
         * Format: uuid
         * @description Compared as it stands, letter case included.
         */
        readonly Uuid: string;
    };
    responses: {
        /** @description CONFLICT. The pool is in the middle of another change, or cannot change its model; the message says which. */
        readonly PoolConflict: {
            headers: {
                readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
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
    };
    parameters: {
        /** @description The pool's id in the configuration. */
        readonly PoolId: components["schemas"]["Name"];
        /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
        readonly CorrelationId: string;
    };
    requestBodies: never;
    headers: {
        /** @description The request's correlation id, or one made for it. */
        readonly "X-Correlation-Id": string;
        /** @description Seconds to wait, rounded up. */
        readonly "Retry-After": number;
        /** @description How to authenticate (RFC 6750). */
        readonly "WWW-Authenticate": string;
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    readonly getCapabilities: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The capabilities. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Capabilities"];
                };
            };
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly listReplicaSets: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The replica sets. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ReplicaSetList"];
                };
            };
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly listPools: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The pools, in the order of the configuration. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["PoolList"];
                };
            };
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly getPoolHealth: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The pool's id in the configuration. */
                readonly id: components["parameters"]["PoolId"];
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The pool's health. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["PoolHealth"];
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
    readonly drainPool: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The pool's id in the configuration. */
                readonly id: components["parameters"]["PoolId"];
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": components["schemas"]["DrainRequest"];
            };
        };
        readonly responses: {
            /** @description The pool drains. */
            readonly 202: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["DrainStatus"];
                };
            };
            readonly 400: components["responses"]["BadRequest"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["NotFound"];
            readonly 413: components["responses"]["PayloadTooLarge"];
            readonly 415: components["responses"]["UnsupportedMediaType"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly undrainPool: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The pool's id in the configuration. */
                readonly id: components["parameters"]["PoolId"];
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The pool takes tasks. */
            readonly 202: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["DrainStatus"];
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
    readonly reloadPool: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The pool's id in the configuration. */
                readonly id: components["parameters"]["PoolId"];
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": components["schemas"]["ReloadRequest"];
            };
        };
        readonly responses: {
            /** @description It is under way; the pool's health tells how far it is. */
            readonly 202: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["PoolChangeStatus"];
                };
            };
            readonly 400: components["responses"]["BadRequest"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["NotFound"];
            readonly 409: components["responses"]["PoolConflict"];
            readonly 413: components["responses"]["PayloadTooLarge"];
            readonly 415: components["responses"]["UnsupportedMediaType"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly canaryPool: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The pool's id in the configuration. */
                readonly id: components["parameters"]["PoolId"];
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": components["schemas"]["CanaryRequest"];
            };
        };
        readonly responses: {
            /** @description It is under way; the pool's health tells how far it is. */
            readonly 202: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["PoolChangeStatus"];
                };
            };
            readonly 400: components["responses"]["BadRequest"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["NotFound"];
            readonly 409: components["responses"]["PoolConflict"];
            readonly 413: components["responses"]["PayloadTooLarge"];
            readonly 415: components["responses"]["UnsupportedMediaType"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly promotePool: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The pool's id in the configuration. */
                readonly id: components["parameters"]["PoolId"];
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description It is under way; the pool's health tells how far it is. */
            readonly 202: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["PoolChangeStatus"];
                };
            };
            readonly 400: components["responses"]["BadRequest"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["NotFound"];
            readonly 409: components["responses"]["PoolConflict"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly rollbackPool: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The pool's id in the configuration. */
                readonly id: components["parameters"]["PoolId"];
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description It is under way; the pool's health tells how far it is. */
            readonly 202: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["PoolChangeStatus"];
                };
            };
            readonly 400: components["responses"]["BadRequest"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["NotFound"];
            readonly 409: components["responses"]["PoolConflict"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly listEvents: {
        readonly parameters: {
            readonly query?: {
                /** @description Only events with a greater seq. */
                readonly after?: number;
                /** @description Events per page; a stream has no end. */
                readonly limit?: number;
                /** @description Follow events as they happen, over SSE. */
                readonly stream?: boolean;
            };
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
                /** @description The seq of the last event received; wins over `after`. */
                readonly "Last-Event-ID"?: string;
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Events after the given one, oldest first. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["EventPage"];
                    readonly "text/event-stream": components["schemas"]["EventStream"];
                };
            };
            readonly 400: components["responses"]["BadRequest"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly getLiveness: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Alive. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Liveness"];
                };
            };
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly getReadiness: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Every dependency is up. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Readiness"];
                };
            };
            /** @description Something is down; `details` has one line for each dependency that is. */
            readonly 503: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly "Retry-After": components["headers"]["Retry-After"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly getMetrics: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The metrics. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "text/plain": string;
                };
            };
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly getDataContract: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description This daemon's data.yaml. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/yaml": string;
                };
            };
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly getControlContract: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description This daemon's control.yaml. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/yaml": string;
                };
            };
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly getPoolContract: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description This daemon's pool.yaml. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/yaml": string;
                };
            };
            readonly default: components["responses"]["OtherError"];
        };
    };
}
