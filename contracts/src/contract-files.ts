/** The contracts as they are served at /openapi/data.yaml, /openapi/control.yaml and /openapi/pool.yaml. */
export const CONTRACT_FILES = {
  data: new URL('../openapi/data.yaml', import.meta.url),
  control: new URL('../openapi/control.yaml', import.meta.url),
  pool: new URL('../openapi/pool.yaml', import.meta.url),
} as const;
