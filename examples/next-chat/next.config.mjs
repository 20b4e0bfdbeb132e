/** @type {import('next').NextConfig} */
export default {
  // A native module, which is loaded and not bundled.
  serverExternalPackages: ['better-sqlite3'],
}
