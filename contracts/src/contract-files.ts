/** The contracts as they are served at /openapi/data.yaml and /openapi/control.yaml. */
export const CONTRACT_FILES = {
  data: new URL('../openapi/data.yaml', import.meta.url),
  control: new URL('../openapi/control.yaml', import.meta.url),
} as const;
