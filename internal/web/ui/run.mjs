// node run.mjs PROGRAM [ARGUMENT…] runs npm, a program of node_modules/.bin, or with "node" a
// script, on a Node that is new enough.
//
// Vite and its native parts want a newer Node than Debian 12 has, and an npm that runs on an old
// Node leaves those parts out. So toolchain/ is installed first, with whatever npm there is, and
// brings both; where there is no such Node for this machine, the one that runs this has to do.

import { spawnSync } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname } from 'node:path'

const toolchain = createRequire(new URL('toolchain/', import.meta.url))
const [program, ...args] = process.argv.slice(2)

function currentNode() {
  try {
    return toolchain.resolve(`node-${process.platform}-${process.arch}/bin/node`)
  } catch {
    return process.execPath
  }
}

const node = currentNode()
const script = (path) => realpathSync(new URL(path, import.meta.url))
const scripts = { node: () => [], npm: () => [script('toolchain/node_modules/npm/bin/npm-cli.js')] }
const run = scripts[program] ?? (() => [script(`node_modules/.bin/${program}`)])
const env = { ...process.env, PATH: dirname(node) + delimiter + process.env.PATH }
const { status, error } = spawnSync(node, [...run(), ...args], { stdio: 'inherit', env })
if (error) console.error(`${program}: ${error.message}`)
process.exit(status ?? 1)
