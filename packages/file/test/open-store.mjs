// How a child process of the conformance suite opens a store.
import { FileSessionStore } from '@turnstore/file'

/** @param {string} folder */
export default folder => new FileSessionStore(folder)
