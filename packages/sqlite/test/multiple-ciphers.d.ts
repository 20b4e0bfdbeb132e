/** Its types are there, but its `exports` hide them. It has the API of better-sqlite3. */
declare module 'better-sqlite3-multiple-ciphers' {
  export { default } from 'better-sqlite3'
}
