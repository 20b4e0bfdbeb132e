export type { Format, FormatSession, FromTurns, FromTurnsOptions, ToSessionsOptions, ToTurnsOptions } from './format.js'
export { formatByName, formats, type Recognition, recognize } from './formats.js'
export type { Usage } from './middle/usage.js'
