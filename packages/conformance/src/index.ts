export type { Group } from './cases.js'
export type { GroupName } from './groups.js'
export type { ChildModule, Runner, SessionStoreSetup } from './setup.js'
export { groupNames, sessionStoreSuite } from './suite.js'
