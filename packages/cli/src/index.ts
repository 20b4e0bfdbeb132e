export { openStore, type OpenOptions } from './open-store.js'
