// Made by `npm run contracts` from contracts/openapi; not edited by hand.
export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description The configuration of one daemon. */
        readonly Config: {
            /**
             * @description The listener and its limits.
             * @default {}
             */
            readonly server: components["schemas"]["ServerConfig"];
            /**
             * @description Where the ledger and run files live. Relative to the configuration file.
             * @default .llama-orch
             */
            readonly data_dir: string;
            /**
             * @description How long conversations stay warm.
             * @default {}
             */
            readonly sessions: components["schemas"]["SessionsConfig"];
            /**
             * @description What is logged.
             * @default {}
             */
            readonly log: components["schemas"]["LogConfig"];
            /**
             * @description How long finished tasks are kept.
             * @default {}
             */
            readonly retention: components["schemas"]["RetentionConfig"];
            /**
             * @description Who may call. Without keys only this machine may.
             * @default {}
             */
            readonly auth: components["schemas"]["AuthConfig"];
            /**
             * @description Who shares the pools, and how. The tenant `default` exists without being listed; list it to give it a weight or limits.
             * @default []
             */
            readonly tenants: readonly components["schemas"]["TenantConfig"][];
            /**
             * @description The pools, in the order tasks without a model_ref prefer them.
             * @default [
             *       {
             *         "id": "default",
             *         "model": {
             *           "id": "tiny-haiku",
             *           "path": "models/tiny-haiku.gguf"
             *         },
             *         "replicas": 2
             *       }
             *     ]
             */
            readonly pools: readonly components["schemas"]["PoolConfig"][];
            /**
             * @description Models that pools can be told to serve instead of their own while the daemon runs (reload, canary), by id.
             * @default []
             */
            readonly models: readonly components["schemas"]["ModelEntry"][];
        };
        /** @description The listener and its limits. */
        readonly ServerConfig: {
            /**
             * @description Address to bind. Only loopback while no key is configured under auth.
             * @default 127.0.0.1
             */
            readonly host: string;
            /**
             * @description TCP port; 0 picks a free one.
             * @default 8080
             */
            readonly port: number;
            /**
             * @description Largest request body.
             * @default 1048576
             */
            readonly body_limit_bytes: number;
            /**
             * @description A client must send its request within this time.
             * @default 10000
             */
            readonly header_timeout_ms: number;
            /**
             * @description A kept-alive connection without a request is closed after this time.
             * @default 75000
             */
            readonly idle_timeout_ms: number;
            /**
             * @description How long running streams may finish on SIGTERM.
             * @default 10000
             */
            readonly shutdown_grace_ms: number;
            /**
             * @description An idle stream gets a comment line this often.
             * @default 15000
             */
            readonly heartbeat_ms: number;
        };
        /** @description How long conversations stay warm. */
        readonly SessionsConfig: {
            /**
             * @description A session ends this long after its first turn; the next one under the same id starts cold.
             * @default 600000
             */
            readonly ttl_ms: number;
            /**
             * @description Turns a session may take; the next one under the same id starts a new session.
             * @default 8
             */
            readonly max_turns: number;
        };
        /** @description Who may call. */
        readonly AuthConfig: {
            /**
             * @description The API keys. With one or more, every request needs a key, except those for liveness, readiness and the contracts. `npm run key` makes one.
             * @default []
             */
            readonly keys: readonly components["schemas"]["KeyConfig"][];
        };
        /** @description One API key, known here only by its hash. */
        readonly KeyConfig: {
            /** @description Names the key in logs. Neither the key nor its hash is ever logged. */
            readonly id: components["schemas"]["Id"];
            /** @description Whose tasks and sessions the key sees; a listed tenant, or default. */
            readonly tenant: components["schemas"]["Id"];
            /** @description SHA-256 of the key as it is sent, in lower-case hex. */
            readonly sha256: string;
            /** @description What the key may do. tasks:write admits and cancels tasks and ends sessions, tasks:read looks at them, control:read looks at pools, replicas, hosts and metrics, control:write drains pools. pool:write is for hosts: it registers replicas, and with them sees the prompts of every tenant. admin may do all of it, and reads the events of every tenant. */
            readonly scopes: readonly ("tasks:write" | "tasks:read" | "control:read" | "control:write" | "pool:write" | "admin")[];
        };
        /** @description One of those who share the pools. */
        readonly TenantConfig: {
            /** @description Names the tenant in keys, metrics and logs. */
            readonly id: components["schemas"]["Id"];
            /**
             * @description Share of the pools while others wait too; twice the weight is twice the share.
             * @default 1
             */
            readonly weight: number;
            /** @description Tasks it may have running at once, over all pools; more wait. Absent is unlimited. */
            readonly max_concurrent?: number;
            /** @description Tasks it may post per second in the long run; more are refused with RATE_LIMITED. Absent is unlimited. */
            readonly rps?: number;
            /** @description Tasks it may post at once after a pause. Only with rps; absent is rps rounded up. */
            readonly burst?: number;
        };
        /** @description What is logged. */
        readonly LogConfig: {
            /**
             * @description The least severe level written.
             * @default info
             * @enum {string}
             */
            readonly level: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
        };
        /** @description How long finished tasks and their transcripts are kept; the tighter bound wins. */
        readonly RetentionConfig: {
            /**
             * @description Finished tasks older than this are deleted.
             * @default 86400000
             */
            readonly max_age_ms: number;
            /**
             * @description Finished tasks beyond this many are deleted, oldest first.
             * @default 100000
             */
            readonly max_tasks: number;
        };
        /** @description Replicas of one model on one kind of device, behind one queue. */
        readonly PoolConfig: {
            /** @description Names the pool in paths, metrics and logs. */
            readonly id: components["schemas"]["Id"];
            /**
             * @description Which adapter speaks to the replicas. Servers that speak the API of OpenAI (SGLang, Ollama, LM Studio, providers) are openai.
             * @default llamacpp
             * @enum {string}
             */
            readonly engine: "llamacpp" | "vllm" | "tgi" | "triton" | "openai";
            /**
             * @description embedded starts the llama.cpp worker that ships with llama-orch, so only for engine llamacpp; process starts `command`; external uses `endpoints` that run already; remote starts nothing here, and all replicas are registered by hosts. Hosts may add replicas to the other pools too.
             * @default embedded
             * @enum {string}
             */
            readonly launch: "embedded" | "process" | "external" | "remote";
            /** @description Only for launch remote: the one host that may have replicas of the pool. Required with keep_alive_ms, since only pools of one host can take turns on its devices. */
            readonly host_id?: string;
            /** @description What the pool serves. */
            readonly model: components["schemas"]["ModelConfig"];
            /**
             * @description What tasks may ask of the pool. The engine must have it, and a replica proves it before it takes work: most engines serve one of them per process.
             * @default [
             *       "completion"
             *     ]
             */
            readonly workloads: readonly ("completion" | "embedding" | "rerank")[];
            /**
             * @description What you vouch for: exact means that the same prompt, seed and sampling give the same bytes on every replica, whatever runs beside; only then are tasks strict, so that one whose replica died after its first token goes on elsewhere. Absent is none for all engines but llamacpp; there it is exact for embedded engines and for a single slot, and with more slots strict tasks run alone, as other engines' bytes may change with what is computed beside. vLLM keeps it when every replica is started with VLLM_BATCH_INVARIANT=1 on the same version, model and kind of GPU.
             * @enum {string}
             */
            readonly determinism?: "exact" | "none";
            /** @description Name of the environment variable that holds the key the engine asks for, sent as a bearer token. The variable must be set when the daemon starts. Absent sends no key. */
            readonly api_key_env?: string;
            /**
             * @description Only for engine triton: whether the model's text_output streams what is new (delta) or all text so far (cumulative). Absent tells it from the stream.
             * @enum {string}
             */
            readonly text_output?: "delta" | "cumulative";
            /** @description Only for engine triton, and not for launch remote: where each engine serves its metrics; {host} is the host of its endpoint. Absent is two ports above the endpoint, where Triton serves them unless told otherwise. */
            readonly metrics_url?: string;
            /**
             * @description Where the replicas compute: cpu, or a device name the engine knows.
             * @default cpu
             */
            readonly device: string;
            /** @description The GPUs that each replica may see, by their number in PCI bus order; short for device cuda:0,1. */
            readonly devices?: readonly number[];
            /** @description Ratios in which the model is split over the GPUs of the pool, one for each. Only for launch process with {tensor_split} in the command. Required where the GPUs differ in memory. */
            readonly tensor_split?: readonly number[];
            /**
             * @description Whether the GPUs may be those of other pools that say so too. Without it such pools are refused.
             * @default false
             */
            readonly share: boolean;
            /** @description Makes the pool share its devices with other pools that have this too: it is loaded when a task asks for it, in turns with them, and unloaded when nobody has for so long; with -1 only when another needs the room. Without it the pool is loaded from the start and stays. */
            readonly keep_alive_ms?: number;
            /**
             * @description How pools with keep_alive_ms take turns.
             * @default {}
             */
            readonly swap: components["schemas"]["SwapConfig"];
            /** @description Memory of one replica: it is not started with less free. 0 is never checked; absent is estimated by the model file. */
            readonly memory_bytes?: number;
            /**
             * @description How many to start. With launch external it is the number of endpoints.
             * @default 1
             */
            readonly replicas: number;
            /**
             * @description Tasks one replica runs at once.
             * @default 1
             */
            readonly slots: number;
            /**
             * @description Context of one slot, tokens.
             * @default 1024
             */
            readonly ctx: number;
            /**
             * @description CPU threads of one embedded replica. More than one may change float rounding, so it is part of what makes output reproducible.
             * @default 1
             */
            readonly threads: number;
            /**
             * @description How many tasks may wait.
             * @default {}
             */
            readonly queue: components["schemas"]["QueueConfig"];
            /**
             * @description Whose work goes first.
             * @default {}
             */
            readonly scheduling: components["schemas"]["SchedulingConfig"];
            /**
             * @description Whether finished tasks are run again in idle times to find replicas that drift.
             * @default {}
             */
            readonly audit: components["schemas"]["AuditConfig"];
            /**
             * @description Labels of the replicas, by ordinal: the first entry is of replica 0 (of the first endpoint). A task's placement.labels must all be among those of its replica. Replicas beyond the list have none.
             * @default []
             */
            readonly replica_labels: readonly components["schemas"]["Labels"][];
            /**
             * @description When to give up.
             * @default {}
             */
            readonly timeouts: components["schemas"]["TimeoutsConfig"];
            /**
             * @description Dispatches one task may get before it ends with WORKER_RESET.
             * @default 3
             */
            readonly max_attempts: number;
            /**
             * @description How a dead replica comes back.
             * @default {}
             */
            readonly restart: components["schemas"]["RestartConfig"];
            /** @description Base addresses of engines that run already, with the path their API is mounted under if there is one. Only for launch external, where it is required. */
            readonly endpoints?: readonly string[];
            /** @description Program and arguments of one replica; {port}, {model}, {ctx} and {slots} are filled in, and {ctx_total} (ctx × slots, what llama-server's -c means), {host}, {alias}, {threads}, {devices} and {tensor_split}. Only for launch process, where it is required. No shell is involved. */
            readonly command?: readonly string[];
        } & (unknown & unknown & unknown & unknown & unknown & unknown);
        /** @description The replicas of a pool on this host. The pool itself is configured where orchestratord runs. */
        readonly HostPoolConfig: {
            /** @description Names the pool in paths, metrics and logs. */
            readonly id: components["schemas"]["Id"];
            /**
             * @description Which adapter speaks to the replicas. Servers that speak the API of OpenAI (SGLang, Ollama, LM Studio, providers) are openai.
             * @default llamacpp
             * @enum {string}
             */
            readonly engine: "llamacpp" | "vllm" | "tgi" | "triton" | "openai";
            /**
             * @description embedded starts the llama.cpp worker that ships with llama-orch; process starts `command`; external uses `endpoints` that run already.
             * @default embedded
             * @enum {string}
             */
            readonly launch: "embedded" | "process" | "external";
            /** @description What the pool serves. */
            readonly model: components["schemas"]["ModelConfig"];
            /**
             * @description What tasks may ask of the pool. The engine must have it, and a replica proves it before it takes work: most engines serve one of them per process.
             * @default [
             *       "completion"
             *     ]
             */
            readonly workloads: readonly ("completion" | "embedding" | "rerank")[];
            /** @description Name of the environment variable that holds the key the engine asks for, sent as a bearer token. The variable must be set when the daemon starts. Absent sends no key. */
            readonly api_key_env?: string;
            /**
             * @description Only for engine triton: whether the model's text_output streams what is new (delta) or all text so far (cumulative). Absent tells it from the stream.
             * @enum {string}
             */
            readonly text_output?: "delta" | "cumulative";
            /**
             * @description Where the replicas compute: cpu, or a device name the engine knows.
             * @default cpu
             */
            readonly device: string;
            /** @description The GPUs that each replica may see, by their number in PCI bus order; short for device cuda:0,1. */
            readonly devices?: readonly number[];
            /** @description Ratios in which the model is split over the GPUs of the pool, one for each. Only for launch process with {tensor_split} in the command. Required where the GPUs differ in memory. */
            readonly tensor_split?: readonly number[];
            /**
             * @description Whether the GPUs may be those of other pools that say so too. Without it such pools are refused.
             * @default false
             */
            readonly share: boolean;
            /**
             * @description For a pool that has keep_alive_ms where orchestratord runs: it is loaded when that says so, and shares its devices with the other pools of the host that are on demand.
             * @default false
             */
            readonly on_demand: boolean;
            /** @description Memory of one replica: it is not started with less free. 0 is never checked; absent is estimated by the model file. */
            readonly memory_bytes?: number;
            /**
             * @description How many to start. With launch external it is the number of endpoints.
             * @default 1
             */
            readonly replicas: number;
            /**
             * @description Tasks one replica runs at once.
             * @default 1
             */
            readonly slots: number;
            /**
             * @description Context of one slot, tokens.
             * @default 1024
             */
            readonly ctx: number;
            /**
             * @description CPU threads of one embedded replica. More than one may change float rounding, so it is part of what makes output reproducible.
             * @default 1
             */
            readonly threads: number;
            /**
             * @description Labels of the replicas, by ordinal: the first entry is of replica 0 (of the first endpoint). A task's placement.labels must all be among those of its replica. Replicas beyond the list have none.
             * @default []
             */
            readonly replica_labels: readonly components["schemas"]["Labels"][];
            /**
             * @description When to give up.
             * @default {}
             */
            readonly timeouts: components["schemas"]["TimeoutsConfig"];
            /**
             * @description How a dead replica comes back.
             * @default {}
             */
            readonly restart: components["schemas"]["RestartConfig"];
            /** @description Base addresses of engines that run already, with the path their API is mounted under if there is one. Only for launch external, where it is required. */
            readonly endpoints?: readonly string[];
            /** @description Program and arguments of one replica; {port}, {model}, {ctx} and {slots} are filled in, and {ctx_total} (ctx × slots, what llama-server's -c means), {host}, {alias}, {threads}, {devices} and {tensor_split}. Only for launch process, where it is required. No shell is involved. */
            readonly command?: readonly string[];
            /**
             * @description Variables of a spawned engine, on top of the few it inherits (PATH, HOME, locale, library path). No variable of the daemon can set them.
             * @default {}
             */
            readonly env: {
                readonly [key: string]: string;
            };
        } & (unknown & unknown & unknown & unknown & unknown & unknown);
        /** @description The configuration of pool-managerd on one host. */
        readonly HostConfig: {
            /** @description Names the host in replica ids, metrics and logs. Letters, digits, dash and underscore. */
            readonly host_id: string;
            /** @description Where the replicas are registered. */
            readonly orchestrator: components["schemas"]["HostOrchestratorConfig"];
            /**
             * @description Where orchestratord reaches the engines.
             * @default {}
             */
            readonly gateway: components["schemas"]["HostGatewayConfig"];
            /**
             * @description Where the host's identity and the list of its processes live; of this host alone. Relative to the configuration file.
             * @default .pool-managerd
             */
            readonly data_dir: string;
            /**
             * @description After this long without an answer of orchestratord its work here is cut off; twice as long makes it wait twice as long for a host that is lost. The sooner of this and the patience of its tasks is best.
             * @default 4000
             */
            readonly lease_ttl_ms: number;
            /**
             * @description How long running tasks may finish on SIGTERM.
             * @default 10000
             */
            readonly shutdown_grace_ms: number;
            /**
             * @description What is logged.
             * @default {}
             */
            readonly log: components["schemas"]["LogConfig"];
            /** @description The pools this host has replicas of. */
            readonly pools: readonly components["schemas"]["HostPoolConfig"][];
            /**
             * @description Models that orchestratord can tell the pools to serve instead of their own (reload, canary), by id; the models of the pools are among them.
             * @default []
             */
            readonly models: readonly components["schemas"]["ModelEntry"][];
        };
        /** @description Where the replicas are registered. */
        readonly HostOrchestratorConfig: {
            /** @description Base address of orchestratord, such as http://10.0.0.1:8080. */
            readonly url: string;
            /** @description A file with an API key that has the scope pool:write, relative to the configuration file. Optional where orchestratord asks for none. */
            readonly key_file?: string;
        };
        /** @description The address engines of this host are reached at; engines themselves listen on loopback only. */
        readonly HostGatewayConfig: {
            /**
             * @description Address to bind; one that orchestratord can reach.
             * @default 127.0.0.1
             */
            readonly host: string;
            /**
             * @description TCP port; 0 picks a free one.
             * @default 0
             */
            readonly port: number;
            /** @description How orchestratord reaches the gateway. Optional; without it, the address it is bound to. */
            readonly advertise_url?: string;
            /**
             * @description Largest request body.
             * @default 16777216
             */
            readonly body_limit_bytes: number;
        };
        /** @description Letters, digits, dot, dash and underscore, led by a letter or digit. */
        readonly Id: string;
        /** @description What the pool serves. */
        readonly ModelConfig: {
            /** @description What clients name in model_ref. */
            readonly id: components["schemas"]["Id"];
            /** @description The GGUF file, relative to the configuration file. Required for launch embedded. */
            readonly path?: string;
            /** @description Of the model file; another file is not served. Absent is not checked. */
            readonly sha256?: components["schemas"]["Sha256"];
            /**
             * @description Other names clients may use in model_ref.
             * @default []
             */
            readonly aliases: readonly string[];
            /** @description The name the engine itself serves the model under, where it asks for one. Absent is the id. */
            readonly served_name?: string;
            /** @description Only for engine triton, which renders none itself: a file with the Jinja chat template, relative to the configuration file. Read when the daemon starts. */
            readonly chat_template?: string;
            /**
             * @description What a task's prompt_format auto means here: auto wraps a bare prompt when the model has a chat template, raw never does, chat always does.
             * @default auto
             * @enum {string}
             */
            readonly prompt_format: "auto" | "raw" | "chat";
        };
        /** @description A model file with a name. */
        readonly ModelEntry: {
            /** @description What operators name in new_model_ref. */
            readonly id: components["schemas"]["Id"];
            /** @description The model file, relative to the configuration file. */
            readonly path: string;
            /** @description Of the file; another file is not served. Absent is not checked. */
            readonly sha256?: components["schemas"]["Sha256"];
        };
        /** @description SHA-256 in lower-case hex. */
        readonly Sha256: string;
        /** @description How many tasks may wait, and what happens to the next one. */
        readonly QueueConfig: {
            /**
             * @description Waiting tasks in all; running ones do not count.
             * @default 256
             */
            readonly capacity: number;
            /**
             * @description What gives way when the queue is full.
             * @default reject
             * @enum {string}
             */
            readonly full_policy: "reject" | "drop-lru" | "shed-low-priority";
            /** @description A tighter bound for waiting interactive tasks. Without it only capacity binds. */
            readonly interactive_capacity?: number;
            /** @description A tighter bound for waiting batch tasks. Without it only capacity binds. */
            readonly batch_capacity?: number;
        };
        /** @description How pools with keep_alive_ms take turns on their devices. */
        readonly SwapConfig: {
            /**
             * @description Part of each of its devices that the pool takes while loaded; pools whose shares add up to 1 or less are loaded side by side.
             * @default 1
             */
            readonly device_share: number;
            /**
             * @description Once loaded it stays for so long while it has work.
             * @default 5000
             */
            readonly min_residency_ms: number;
            /**
             * @description When its tasks have waited so long for it to be loaded, a busy pool makes room.
             * @default 120000
             */
            readonly max_wait_ms: number;
            /**
             * @description How long loading is expected to take, until it was seen.
             * @default 10000
             */
            readonly load_ms: number;
        };
        /** @description Names with a value each, such as zone with a. */
        readonly Labels: {
            readonly [key: string]: string;
        };
        /** @description Whose work goes first. */
        readonly SchedulingConfig: {
            /**
             * @description Share of a tenant's interactive tasks against its batch tasks, while both wait; only its ratio to batch_weight counts.
             * @default 8
             */
            readonly interactive_weight: number;
            /**
             * @description Share of a tenant's batch tasks against its interactive ones.
             * @default 1
             */
            readonly batch_weight: number;
            /**
             * @description What gives way to interactive work: off is nothing, soft is waiting batch work, hard is running batch work too, where the engine can stop at a token and go on later.
             * @default soft
             * @enum {string}
             */
            readonly preemption: "off" | "soft" | "hard";
            /**
             * @description How often one running task may be preempted; after that it runs to its end.
             * @default 3
             */
            readonly max_preemptions: number;
        };
        /** @description Finished strict completions that run again on another replica of their set, where that costs nobody anything. */
        readonly AuditConfig: {
            /**
             * @description Part of the pool's finished strict completions that is drawn for it. 0 is none.
             * @default 0
             */
            readonly share: number;
            /**
             * @description How often one may begin; they are spread evenly.
             * @default 6
             */
            readonly max_per_minute: number;
        };
        /** @description When to give up. */
        readonly TimeoutsConfig: {
            /**
             * @description One attempt at a task, from dispatch to end.
             * @default 60000
             */
            readonly wall_ms: number;
            /**
             * @description Between two signs of life from the engine while it works.
             * @default 5000
             */
            readonly idle_ms: number;
            /**
             * @description A TCP connection to a replica.
             * @default 2000
             */
            readonly connect_ms: number;
            /**
             * @description One control call to a replica: health, properties, tokenize.
             * @default 2000
             */
            readonly control_ms: number;
            /**
             * @description From starting a replica until it has loaded its model.
             * @default 120000
             */
            readonly load_ms: number;
        };
        /** @description How a dead replica comes back. */
        readonly RestartConfig: {
            /**
             * @description Before the first restart; doubled each time, with jitter.
             * @default 250
             */
            readonly initial_delay_ms: number;
            /**
             * @description Upper bound of the delay.
             * @default 30000
             */
            readonly max_delay_ms: number;
            /**
             * @description Restarts within one window before the replica counts as failed.
             * @default 8
             */
            readonly max_restarts: number;
            /**
             * @description Over which restarts and failures are counted, of a replica and of its pool.
             * @default 300000
             */
            readonly window_ms: number;
            /**
             * @description Failures of one replica within the window after which it is not started until it has cooled down.
             * @default 5
             */
            readonly breaker_failures: number;
            /**
             * @description How long that is; then one replica of the pool at a time is tried.
             * @default 15000
             */
            readonly cool_down_ms: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
