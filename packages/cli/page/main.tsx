/*! Contains Preact; its license is in the file preact-license. */
import { render } from 'preact'
import { App } from './app.tsx'
import { takeToken } from './data/token.ts'

takeToken()
render(<App />, document.body)
