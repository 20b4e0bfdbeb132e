export { startInspector } from './inspector.js'
export { openBrowser } from './open-browser.js'
