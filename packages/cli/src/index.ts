export type { AdapterOptions, Adapters, OpenAdapter } from './stores/adapters.js'
export { openStore, type OpenOptions } from './stores/open-store.js'
