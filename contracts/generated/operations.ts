// Made by `npm run contracts` from contracts/openapi; not edited by hand.
export const OPERATIONS = {
  listTasks: {"method":"GET","path":"/v1/tasks","requirementIds":["ORCH-2001"],"statuses":[200,400,401,403,500],"query":{"state":"string","session_id":"string","priority":"string","limit":"integer","cursor":"string"}},
  createTask: {"method":"POST","path":"/v1/tasks","requirementIds":["ORCH-2001","ORCH-2006","ORCH-2007","ORCH-2008","ORCH-3004","ORCH-3005","ORCH-3014","ORCH-3015","ORCH-3024","ORCH-3025","ORCH-3093","OC-CTRL-2010","OC-CTRL-2011","OC-CTRL-2030","OC-CTRL-2031","OC-CTRL-2052"],"statuses":[200,202,400,401,403,404,409,413,415,429,500,503],"query":{"cancel_on_disconnect":"boolean"}},
  getTask: {"method":"GET","path":"/v1/tasks/{id}","requirementIds":["ORCH-2001","ORCH-3024","ORCH-3032"],"statuses":[200,400,401,403,404,500],"query":{}},
  streamTask: {"method":"GET","path":"/v1/tasks/{id}/stream","requirementIds":["ORCH-2002","ORCH-3029","ORCH-3100","OC-CTRL-2020","OC-CTRL-2021","OC-CTRL-2022","OC-CTRL-2023"],"statuses":[200,400,401,403,404,410,500],"query":{"after":"integer"}},
  cancelTask: {"method":"POST","path":"/v1/tasks/{id}/cancel","requirementIds":["ORCH-2003","ORCH-3017","ORCH-3026","OC-CTRL-2012"],"statuses":[204,400,401,403,404,500],"query":{}},
  getSession: {"method":"GET","path":"/v1/sessions/{id}","requirementIds":["ORCH-2004","ORCH-3021","ORCH-3023","ORCH-3099"],"statuses":[200,400,401,403,404,500],"query":{}},
  deleteSession: {"method":"DELETE","path":"/v1/sessions/{id}","requirementIds":["ORCH-2005","ORCH-3022"],"statuses":[204,400,401,403,404,500],"query":{}},
  getCapabilities: {"method":"GET","path":"/v1/capabilities","requirementIds":["ORCH-3044","ORCH-3095","ORCH-3096","OC-CTRL-2060","OC-CTRL-2061"],"statuses":[200,401,403,500],"query":{}},
  listReplicaSets: {"method":"GET","path":"/v1/replicasets","requirementIds":["ORCH-2104","ORCH-3007","ORCH-3032","ORCH-3041","ORCH-3046","OC-CTRL-2004"],"statuses":[200,401,403,500],"query":{}},
  listPools: {"method":"GET","path":"/v1/pools","requirementIds":["ORCH-2103"],"statuses":[200,401,403,500],"query":{}},
  getPoolHealth: {"method":"GET","path":"/v1/pools/{id}/health","requirementIds":["ORCH-2103","OC-CTRL-2001"],"statuses":[200,400,401,403,404,500],"query":{}},
  drainPool: {"method":"POST","path":"/v1/pools/{id}/drain","requirementIds":["ORCH-2101","OC-CTRL-2002"],"statuses":[202,400,401,403,404,413,415,500],"query":{}},
  undrainPool: {"method":"POST","path":"/v1/pools/{id}/undrain","requirementIds":["ORCH-2101"],"statuses":[202,400,401,403,404,500],"query":{}},
  listEvents: {"method":"GET","path":"/v1/events","requirementIds":["ORCH-3027","ORCH-3028"],"statuses":[200,400,401,403,500],"query":{"after":"integer","limit":"integer","stream":"boolean"}},
  getLiveness: {"method":"GET","path":"/healthz","requirementIds":["OC-CTRL-2050"],"statuses":[200],"query":{}},
  getReadiness: {"method":"GET","path":"/readyz","requirementIds":["OC-CTRL-2050","ORCH-3010"],"statuses":[200,503],"query":{}},
  getMetrics: {"method":"GET","path":"/metrics","requirementIds":["ORCH-3028","OC-CTRL-2051"],"statuses":[200],"query":{}},
  getDataContract: {"method":"GET","path":"/openapi/data.yaml","requirementIds":["ORCH-3044"],"statuses":[200],"query":{}},
  getControlContract: {"method":"GET","path":"/openapi/control.yaml","requirementIds":["ORCH-3044"],"statuses":[200],"query":{}},
} as const;
export const API_VERSION = '1.0.0';
export type OperationId = keyof typeof OPERATIONS;
