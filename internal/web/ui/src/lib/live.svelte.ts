// The live stream. Events are gathered and shown four times a second: a big floor changes
// more often than anybody can read, and a calm page costs less.

import type { Agent, LiveEvents, Queue } from './shapes'
import { who } from './session.svelte'

const showEvery = 250 // ms
const retryFrom = 1000
const retryTo = 15000

type Kind = keyof LiveEvents
type Listener<K extends Kind> = (data: LiveEvents[K]) => void

class Live {
  queues = $state.raw<Queue[]>([])
  agents = $state.raw<Agent[]>([])
  heard = $state.raw<ReadonlyMap<string, number>>(new Map()) // agent → when last heard, ms of this browser
  state = $state<'connecting' | 'live' | 'lost'>('connecting')

  private source: EventSource | null = null
  private retry = retryFrom
  private timer: ReturnType<typeof setTimeout> | undefined
  private showing: ReturnType<typeof setTimeout> | undefined
  private order: string[] = []
  private queueOf = new Map<string, Queue>()
  private agentOf = new Map<string, Agent>()
  private heardAt = new Map<string, number>()
  private listeners = new Map<Kind, Set<Listener<Kind>>>()

  start() {
    this.stop()
    this.state = 'connecting'
    this.open()
  }

  stop() {
    this.source?.close()
    this.source = null
    clearTimeout(this.timer)
    clearTimeout(this.showing)
    this.showing = undefined
    this.queueOf.clear()
    this.agentOf.clear()
    this.heardAt.clear()
    this.show()
  }

  /** Calls back for every event of a kind until the returned function is called. */
  on<K extends Kind>(kind: K, listener: Listener<K>): () => void {
    const set = this.listeners.get(kind) ?? new Set()
    this.listeners.set(kind, set)
    set.add(listener as Listener<Kind>)
    return () => set.delete(listener as Listener<Kind>)
  }

  private open() {
    const source = new EventSource('/api/v1/events')
    this.source = source
    const take = <K extends Kind>(kind: K, use: (data: LiveEvents[K]) => void) =>
      source.addEventListener(kind, (e) => {
        const data = JSON.parse((e as MessageEvent<string>).data) as LiveEvents[K]
        use(data)
        this.listeners.get(kind)?.forEach((tell) => tell(data))
      })
    take('floor', (floor) => this.begin(floor))
    take('queue', (q) => {
      if (!this.queueOf.has(q.id)) this.order.push(q.id)
      this.queueOf.set(q.id, q)
      this.showSoon()
    })
    take('agent', (a) => {
      // An agent's change carries no readings; the last ones stay until the next.
      const old = this.agentOf.get(a.id)
      if (a.state === 'offline') this.agentOf.delete(a.id)
      else this.agentOf.set(a.id, { ...a, mic: a.mic ?? old?.mic, wire: a.wire ?? old?.wire })
      this.showSoon()
    })
    take('reading', (r) => {
      const a = this.agentOf.get(r.agent)
      if (!a) return
      this.agentOf.set(a.id, { ...a, [r.tap]: r.reading })
      this.heardAt.set(a.id, Date.now())
      this.showSoon()
    })
    take('verdict', (v) => {
      for (const a of this.agentOf.values()) {
        if (a.headset?.id === v.headset) this.agentOf.set(a.id, { ...a, verdict: v.verdict.state })
      }
      this.showSoon()
    })
    take('call', () => {})
    take('lost', () => this.start()) // the picture has holes: begin again
    source.onerror = () => this.failed(source)
  }

  private begin(floor: LiveEvents['floor']) {
    this.retry = retryFrom
    this.state = 'live'
    this.order = floor.queues.map((q) => q.id)
    this.queueOf = new Map(floor.queues.map((q) => [q.id, q]))
    this.agentOf = new Map(floor.agents.map((a) => [a.id, a]))
    const now = Date.now()
    this.heardAt = new Map(floor.agents.filter((a) => a.mic || a.wire).map((a) => [a.id, now]))
    this.show()
  }

  // The browser tries again by itself after a broken connection, but not after a refusal.
  private failed(source: EventSource) {
    if (source !== this.source) return
    this.state = 'lost'
    if (source.readyState !== EventSource.CLOSED) return
    this.timer = setTimeout(async () => {
      await who.look() // the session may have ended
      if (who.session && source === this.source) this.open()
    }, this.retry)
    this.retry = Math.min(2 * this.retry, retryTo)
  }

  private showSoon() {
    this.showing ??= setTimeout(() => {
      this.showing = undefined
      this.show()
    }, showEvery)
  }

  private show() {
    this.queues = this.order.flatMap((id) => this.queueOf.get(id) ?? [])
    this.agents = [...this.agentOf.values()].sort((a, b) => a.title.localeCompare(b.title) || a.id.localeCompare(b.id))
    this.heard = new Map(this.heardAt)
  }
}

export const live = new Live()
