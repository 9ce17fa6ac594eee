/** Where the REST surface begins; probes, Prometheus and the API's description are at the root. */
export const prefix = '/api/models/enterprise';
