// node run.mjs node screenshots.mjs ADDRESS USER PASSWORD FOLDER
//
// takes a picture of each page of a running service (headroom demo, say) with an installed
// Chromium, light and dark, wide and on a phone. It fails when a page throws, is refused
// something by its security policy, or is wider than its screen.

import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const [address, user, password, folder] = process.argv.slice(2)
if (!folder) {
  console.error('usage: screenshots.mjs ADDRESS USER PASSWORD FOLDER')
  process.exit(2)
}
const wide = { width: 1280, height: 860, scheme: 'light' }
const dark = { ...wide, scheme: 'dark' }
const phone = { width: 390, height: 844, scheme: 'light' }
const shots = [
  { name: 'queues', path: '/queues', screen: wide },
  { name: 'queues-phone', path: '/queues', screen: phone },
  { name: 'headsets', path: '/headsets', screen: wide },
  { name: 'headsets-dark', path: '/headsets', screen: dark },
  { name: 'headset', path: '/headsets', open: 'td.head a', screen: wide },
  { name: 'headset-phone', path: '/headsets', open: 'td.head a', screen: phone },
  { name: 'calls', path: '/calls', screen: wide },
  { name: 'call', path: '/calls', open: 'tr:last-child td.head a', screen: wide },
]

/** Starts Chromium and gives a function that asks one of its pages over the DevTools protocol. */
async function browser(profile) {
  const flags = ['headless', 'no-sandbox', 'disable-gpu', 'disable-quic', 'no-first-run', 'disable-background-networking', 'disable-component-update', 'disable-sync', 'hide-scrollbars', 'remote-debugging-port=0']
  const chromium = spawn(process.env.CHROMIUM ?? 'chromium', [...flags.map((f) => '--' + f), `--user-data-dir=${profile}`, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const address = await new Promise((found, failed) => {
    let said = ''
    chromium.on('error', failed)
    chromium.on('exit', () => failed(new Error(`chromium ended:\n${said}`)))
    chromium.stderr.on('data', (b) => {
      said += b
      const url = said.match(/ws:\/\/\S+/)
      if (url) found(url[0])
    })
  })
  const socket = new WebSocket(address)
  await new Promise((open, failed) => ((socket.onopen = open), (socket.onerror = failed)))
  const waiting = new Map()
  const trouble = []
  let last = 0
  socket.onmessage = ({ data }) => {
    const m = JSON.parse(data)
    if (m.id) waiting.get(m.id)(m)
    else if (m.method === 'Runtime.exceptionThrown') trouble.push(m.params.exceptionDetails.exception?.description ?? m.params.exceptionDetails.text)
    else if (m.method === 'Log.entryAdded' && m.params.entry.source === 'security') trouble.push(m.params.entry.text)
  }
  const send = (method, params = {}, sessionId = undefined) =>
    new Promise((done, failed) => {
      const id = ++last
      waiting.set(id, (m) => (waiting.delete(id), m.error ? failed(new Error(`${method}: ${m.error.message}`)) : done(m.result)))
      socket.send(JSON.stringify({ id, method, params, sessionId }))
    })
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' })
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true })
  const ask = (method, params) => send(method, params, sessionId)
  for (const domain of ['Page', 'Runtime', 'Log']) await ask(`${domain}.enable`)
  const run = async (expression) => (await ask('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })).result.value
  return { ask, run, trouble, close: () => new Promise((ended) => (chromium.removeAllListeners('exit'), chromium.on('exit', ended), chromium.kill())) }
}

/** Waits until an expression is true in the page. */
async function until(page, expression, what) {
  for (let i = 0; i < 100; i++) {
    if (await page.run(expression)) return
    await new Promise((r) => setTimeout(r, 100))
  }
  throw new Error(`${what}: waited 10 s in vain; the page says:\n${await page.run('document.body?.innerText')}`)
}

async function take(page, { name, path, open, screen }) {
  await page.ask('Emulation.setDeviceMetricsOverride', { width: screen.width, height: screen.height, deviceScaleFactor: 1, mobile: screen === phone })
  await page.ask('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: screen.scheme }] })
  await page.ask('Page.navigate', { url: address + path })
  await until(page, `location.pathname === ${JSON.stringify(path)} && !!document.querySelector('main table tbody tr') && !!document.querySelector('.line.live')`, name)
  if (open) {
    await page.run(`document.querySelector(${JSON.stringify(open)}).click()`)
    await until(page, `!!document.querySelector('main canvas')`, name)
  }
  await new Promise((r) => setTimeout(r, 1500)) // meters and charts have something to show
  if (await page.run('document.documentElement.scrollWidth > innerWidth')) page.trouble.push('wider than the screen')
  const { data } = await page.ask('Page.captureScreenshot', { format: 'png' })
  writeFileSync(join(folder, `${name}.png`), Buffer.from(data, 'base64'))
}

mkdirSync(folder, { recursive: true })
const profile = mkdtempSync(join(tmpdir(), 'headroom-pages-'))
const page = await browser(profile)
let failed = 0
try {
  await page.ask('Page.navigate', { url: address + '/' })
  await until(page, `!!document.querySelector('input[name=password]')`, 'sign-in')
  const body = JSON.stringify(JSON.stringify({ user, password }))
  const status = await page.run(`fetch('/api/v1/session', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: ${body} }).then((r) => r.status)`)
  if (status !== 200) throw new Error(`sign-in: the service answered ${status}`)
  for (const shot of shots) {
    await take(page, shot)
    for (const t of page.trouble.splice(0)) {
      failed++
      console.error(`${shot.name}: ${t}`)
    }
  }
} finally {
  await page.close()
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
}
process.exit(failed ? 1 : 0)
