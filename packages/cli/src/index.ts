export { openStore, type OpenOptions } from './stores/open-store.js'
