// Made by `npm run contracts` from contracts/openapi; not edited by hand.
export interface paths {
    readonly "/v1/hosts": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** The hosts that have registered since this daemon started. */
        readonly get: operations["listHosts"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/hosts/{host_id}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        readonly post?: never;
        /**
         * A host stops.
         * @description Its replicas are gone with this call; it has stopped them before. Without effect when the host is not known or another instance of it has registered. Idempotent.
         */
        readonly delete: operations["removeHost"];
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/hosts/{host_id}/sync": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * What a host has, against what it is to do.
         * @description A long poll: answered at once when there is something to say that the host has not heard, else within next_sync_ms of the answer before. The host sends its next sync as soon as it has the answer, and beside a sync that is held when it has news.
         */
        readonly post: operations["syncHost"];
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
        /** @description An id without dots, so that it can be told from what follows it in a replica's id. */
        readonly HostName: string;
        /** @description HOST.POOL-N: the host, a dot, and what the host itself calls the replica. */
        readonly ReplicaName: string;
        readonly HostSync: {
            readonly api_version: string;
            readonly instance: components["schemas"]["HostInstance"];
            /** @description Grows with every sync of this instance; one that was overtaken is not used. */
            readonly seq: number;
            readonly heard?: components["schemas"]["HeardOf"];
            /** @description Where orchestratord reaches the host's engines. */
            readonly gateway_url: string;
            /** @description How long a lease of this host lives from the moment an answered sync was sent. */
            readonly lease_ttl_ms: number;
            /** @description All of them, as they are now. */
            readonly replicas: readonly components["schemas"]["HostReplica"][];
            /** @description All that are live. */
            readonly leases: readonly components["schemas"]["HostLease"][];
            /** @description What happened and was not acknowledged yet, oldest first. */
            readonly events: readonly components["schemas"]["HostEvent"][];
            /** @description All that it has in its configuration. Absent from a host that cannot change their models; such a host is not sent `models`. */
            readonly pools?: readonly components["schemas"]["HostPool"][];
        };
        /** @description One process of pool-managerd. */
        readonly HostInstance: {
            /** @description Made at its start. */
            readonly id: components["schemas"]["Uuid"];
            /** @description Of its data directory, which only one process can hold at a time. */
            readonly home: components["schemas"]["Uuid"];
            /** @description Starts on that directory; a higher one proves that the processes before it are dead. */
            readonly generation: number;
        };
        /** @description What this instance has heard of orchestratord. Absent before the first answer. */
        readonly HeardOf: {
            readonly instance_id: components["schemas"]["Uuid"];
            /** @description The newest answer's number. */
            readonly answer: components["schemas"]["Count"];
            /** @description Commands up to this number were carried out. */
            readonly command: components["schemas"]["Count"];
        };
        readonly HostPool: {
            readonly pool_id: components["schemas"]["Name"];
            /** @description Its replicas were started, or are to be by a command. */
            readonly loaded: boolean;
            /** @description The newest number in `models` of this orchestratord that it has heard of for the pool. */
            readonly wish?: number;
            /**
             * @description Of that wish. changing: on the way there. done: so it is. failed: it will not be tried again, and what served before serves on.
             * @enum {string}
             */
            readonly state?: "changing" | "done" | "failed";
            /** @description Why it failed and what to do about it. */
            readonly reason?: string;
        };
        readonly HostReplica: {
            readonly replica_id: components["schemas"]["ReplicaName"];
            readonly pool_id: components["schemas"]["Name"];
            readonly replica_set_id?: components["schemas"]["Name"];
            readonly engine: components["schemas"]["Engine"];
            readonly engine_version: components["schemas"]["VersionText"];
            readonly model_id: components["schemas"]["Name"];
            readonly model_digest: components["schemas"]["ModelDigest"];
            readonly quant: string;
            readonly kv_bytes_per_token: components["schemas"]["Count"];
            readonly device: string;
            readonly slots: number;
            readonly ctx: number;
            /** @description KV that its slots share, tokens, where the engine tells. */
            readonly kv_tokens?: number;
            /** @description Prompt tokens of one step, where the engine tells. */
            readonly chunk_tokens?: number;
            readonly exact_prefix_reuse: boolean;
            /** @enum {string} */
            readonly state: "starting" | "loading" | "self-test" | "ready" | "unready" | "backoff" | "draining" | "stopped" | "failed";
            readonly restarts: components["schemas"]["Count"];
            /** @description On the host. */
            readonly pid?: number;
            readonly last_error?: string;
            /** @description Absent unless it is ready. */
            readonly ready_for_ms?: components["schemas"]["Millis"];
            readonly chat: components["schemas"]["HostChat"];
            /** @description Of a canary: of the tasks. */
            readonly canary_percent?: number;
            /** @description A task's placement.labels must all be among them. */
            readonly labels: {
                readonly [key: string]: string;
            };
        };
        /** @description How chat becomes text: not at all, by the engine itself, by asking the engine for every prompt, or by an envelope around a bare prompt. Known once the replica is leased. */
        readonly HostChat: {
            /** @enum {string} */
            readonly kind: "none" | "engine" | "render" | "envelope";
            /** @description Of an envelope. */
            readonly prefix?: string;
            /** @description Of an envelope. */
            readonly suffix?: string;
        };
        readonly HostLease: {
            readonly replica_id: components["schemas"]["ReplicaName"];
            /** @description Whom it was granted to. */
            readonly orchestrator_instance_id: components["schemas"]["Uuid"];
            /** @description Grows with every grant of the replica, over restarts of the host too. */
            readonly token: components["schemas"]["Count"];
            /** @description With the token, what the gateway asks for. Never logged. */
            readonly secret: string;
        };
        readonly HostEvent: {
            readonly n: number;
            /** @enum {string} */
            readonly type: "restart" | "preload" | "lease" | "gone";
            readonly replica_id: components["schemas"]["ReplicaName"];
            /** @description Of a restart. */
            readonly reason?: string;
            /** @description Of a restart. */
            readonly delay_ms?: number;
            /**
             * @description Of a preload.
             * @enum {string}
             */
            readonly outcome?: "ok" | "failed";
            /** @description Of a preload. */
            readonly took_ms?: number;
            /** @description Of what is gone: its engine ended by itself, maybe by what ran on it. */
            readonly crashed?: boolean;
            /**
             * @description Of a lease.
             * @enum {string}
             */
            readonly lease?: "granted" | "renewed" | "expired" | "fenced" | "released";
        };
        readonly HostSyncAnswer: {
            readonly orchestrator: components["schemas"]["Orchestrator"];
            /** @description Grows with every answer to this host; one that was overtaken is not used. */
            readonly answer: number;
            /** @description Events up to this number were taken. */
            readonly event: components["schemas"]["Count"];
            /** @description Replicas wanted. A live lease that is not among them is released. */
            readonly lease: readonly components["schemas"]["ReplicaName"][];
            /** @description Pools whose replicas take nothing new; all others do. */
            readonly drain: readonly components["schemas"]["Name"][];
            /** @description Not known to be carried out yet, oldest first. Each is carried out once. */
            readonly commands: readonly components["schemas"]["HostCommand"][];
            /** @description What pools are to serve, by pool; a pool that is not among them has no canary and otherwise stays as it is. */
            readonly models?: readonly components["schemas"]["ModelWish"][];
            /** @description The next sync may be held this long. */
            readonly next_sync_ms: number;
        };
        readonly Orchestrator: {
            /** @description Of its data directory; leases are granted to it. */
            readonly id: components["schemas"]["Uuid"];
            /** @description Made at its start. A new one needs new tokens. */
            readonly instance_id: components["schemas"]["Uuid"];
        };
        /** @description What all replicas of a pool are to serve, in the end. The host knows the files; it goes there by a reload, a canary, a promotion or a rollback, whichever leads there from where it is. */
        readonly ModelWish: {
            readonly pool_id: components["schemas"]["Name"];
            /** @description Grows with every wish for the pool. */
            readonly n: number;
            /** @description Absent: the one that the host has in its configuration. */
            readonly model?: components["schemas"]["WantedModel"];
            /** @description Absent: no canary runs on this host. */
            readonly canary?: components["schemas"]["WantedCanary"];
        };
        readonly WantedModel: {
            /** @description In the configuration of the host. */
            readonly id: components["schemas"]["Name"];
            /** @description That the file must have, where orchestratord was told. */
            readonly digest?: components["schemas"]["ModelDigest"];
        };
        readonly WantedCanary: {
            readonly model: components["schemas"]["WantedModel"];
            /** @description Of the tasks. */
            readonly percent: number;
            /** @description On this host. */
            readonly replicas: number;
        };
        readonly HostCommand: {
            readonly n: number;
            /**
             * @description suspect: a dispatch accuses the replica. revive: failed replicas of the pool start again. load: the pool's replicas start. unload: they take nothing new and stop, running work has deadline_ms. end: what still runs under request_id is cut off at the gateway.
             * @enum {string}
             */
            readonly type: "suspect" | "revive" | "load" | "unload" | "end";
            readonly replica_id?: components["schemas"]["ReplicaName"];
            /** @enum {string} */
            readonly suspicion?: "connection" | "garbage" | "hung" | "self-test";
            readonly detail?: string;
            readonly pool_id?: components["schemas"]["Name"];
            readonly deadline_ms?: components["schemas"]["Millis"];
            readonly request_id?: components["schemas"]["Uuid"];
        };
        readonly HostList: {
            readonly items: readonly components["schemas"]["Host"][];
        };
        readonly Host: {
            readonly host_id: components["schemas"]["HostName"];
            readonly instance_id: components["schemas"]["Uuid"];
            readonly gateway_url: string;
            /** @description Not heard of in time; nothing is dispatched to it. */
            readonly overdue: boolean;
            /** @description Since its last sync. */
            readonly last_seen_ms: components["schemas"]["Millis"];
            readonly replicas: readonly {
                readonly replica_id: components["schemas"]["ReplicaName"];
                readonly pool_id: components["schemas"]["Name"];
                /**
                 * @description As dispatching sees it.
                 * @enum {string}
                 */
                readonly state: "starting" | "loading" | "self-test" | "ready" | "unready" | "backoff" | "draining" | "stopped" | "failed";
                readonly leased: boolean;
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
        /**
         * Format: uuid
         * @description Compared as it stands, letter case included.
         */
        readonly Uuid: string;
        readonly Count: number;
        /** @enum {string} */
        readonly Engine: "llamacpp" | "vllm" | "tgi" | "triton" | "openai";
        readonly VersionText: string;
        /** @description SHA-256 of the model file; empty for an external engine whose file cannot be read. */
        readonly ModelDigest: string;
    };
    responses: {
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
        /** @description The host's id in its configuration. */
        readonly HostId: components["schemas"]["HostName"];
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
    readonly listHosts: {
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
            /** @description The hosts, by id. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["HostList"];
                };
            };
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly removeHost: {
        readonly parameters: {
            readonly query: {
                /** @description The instance that stops. */
                readonly instance_id: components["schemas"]["Uuid"];
            };
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The host's id in its configuration. */
                readonly host_id: components["parameters"]["HostId"];
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The host is gone. */
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
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
    readonly syncHost: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description Echoed on the answer and in every log line. Replaced when not 1 to 128 visible ASCII characters. */
                readonly "X-Correlation-Id"?: components["parameters"]["CorrelationId"];
            };
            readonly path: {
                /** @description The host's id in its configuration. */
                readonly host_id: components["parameters"]["HostId"];
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": components["schemas"]["HostSync"];
            };
        };
        readonly responses: {
            /** @description What the host is to do. */
            readonly 200: {
                headers: {
                    readonly "X-Correlation-Id": components["headers"]["X-Correlation-Id"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["HostSyncAnswer"];
                };
            };
            readonly 400: components["responses"]["BadRequest"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["NotFound"];
            readonly 409: components["responses"]["Conflict"];
            readonly 413: components["responses"]["PayloadTooLarge"];
            readonly 415: components["responses"]["UnsupportedMediaType"];
            readonly 500: components["responses"]["Internal"];
            readonly default: components["responses"]["OtherError"];
        };
    };
}
