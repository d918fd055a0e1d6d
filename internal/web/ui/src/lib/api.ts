// Requests to the service. Every failure is an ApiError whose message a person can read.

import type { Call, CallStory, Headset, HeadsetDetail, Queue, Agent, ReadingRun, Recordings, Session, SIPLadder, Trunk } from './shapes'

export class ApiError extends Error {
  constructor(
    readonly status: number, // 0: no answer at all
    message: string,
    readonly requestId?: string,
  ) {
    super(message)
  }
}

interface Problem {
  title?: string
  detail?: string
  request_id?: string
}

const root = '/api/v1'

/** How far the service's clock is ahead of this browser's, ms; 0 when within what Date headers tell. */
export let clockOffset = 0

async function ask<T>(path: string, init?: RequestInit): Promise<T> {
  let response: Response
  try {
    response = await fetch(root + path, { ...init, headers: { Accept: 'application/json', ...init?.headers } })
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e
    throw new ApiError(0, 'The service does not answer. It may be stopped, or the network is down.')
  }
  noteClock(response.headers.get('Date'))
  const text = await response.text()
  if (!response.ok) {
    const problem = parse<Problem>(text)
    const said = problem?.detail || problem?.title || `The service answered ${response.status}.`
    throw new ApiError(response.status, said[0]!.toUpperCase() + said.slice(1), problem?.request_id)
  }
  if (text === '') return undefined as T
  const body = parse<T>(text)
  if (body === undefined) throw new ApiError(response.status, 'The service gave an answer that is not JSON. A proxy may stand between.')
  return body
}

function parse<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T
  } catch {
    return undefined
  }
}

function noteClock(date: string | null) {
  if (!date) return
  const ahead = Date.parse(date) - Date.now()
  clockOffset = Math.abs(ahead) < 2500 ? 0 : ahead
}

const each = encodeURIComponent

export const whoAmI = () => ask<Session>('/session')

export const signIn = (user: string, password: string) =>
  ask<Session>('/session', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ user, password }) })

export const signOut = () => ask<void>('/session', { method: 'DELETE' })

export const queues = () => ask<{ queues: Queue[] }>('/queues').then((b) => b.queues)

export const agents = () => ask<{ agents: Agent[] }>('/agents').then((b) => b.agents)

export const headsets = () => ask<{ headsets: Headset[]; total: number }>('/headsets')

export const headset = (key: string) => ask<HeadsetDetail>(`/headsets/${each(key)}`)

export const calls = (before = '', queue = '', agent = '') => {
  const q = new URLSearchParams()
  if (before) q.set('before', before)
  if (queue) q.set('queue', queue)
  if (agent) q.set('agent', agent)
  return ask<{ calls: Call[]; next?: string }>(`/calls?${q}`)
}

export const call = (id: string) => ask<CallStory>(`/calls/${each(id)}`)

export const readings = (id: string) => ask<{ runs: ReadingRun[] }>(`/calls/${each(id)}/readings`).then((b) => b.runs)

export const sip = (id: string) => ask<{ ladders: SIPLadder[] }>(`/calls/${each(id)}/sip`).then((b) => b.ladders)

export const recordings = (id: string) => ask<Recordings>(`/calls/${each(id)}/recordings`)

export const record = (id: string, action: 'start' | 'stop' | 'pause' | 'resume') =>
  ask<void>(`/calls/${each(id)}/recording`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ action }) })

/** Where a recording can be heard. */
export const audio = (recording: string) => `${root}/recordings/${each(recording)}/audio`

export const hold = (recording: string, why: string) =>
  ask<void>(`/recordings/${each(recording)}/hold`, { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ why }) })

export const release = (recording: string) => ask<void>(`/recordings/${each(recording)}/hold`, { method: 'DELETE' })

export const erase = (recording: string) => ask<void>(`/recordings/${each(recording)}`, { method: 'DELETE' })

export type SuperviseMode = 'listen' | 'whisper' | 'barge' | 'take_over'

export const supervise = (id: string, mode: SuperviseMode) =>
  ask<void>(`/calls/${each(id)}/supervise`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ mode }) })

export const leave = (id: string) => ask<void>(`/calls/${each(id)}/supervise`, { method: 'DELETE' })

export const trunks = () => ask<{ trunks: Trunk[] }>('/trunks').then((b) => b.trunks)
