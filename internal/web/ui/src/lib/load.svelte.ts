// A request whose answer a page shows: loading, there, or failed with what happened.

import { ApiError } from './api'
import { who } from './session.svelte'

export class Load<T> {
  value = $state.raw<T | undefined>(undefined)
  problem = $state.raw<ApiError | null>(null)
  busy = $state(false)
  private turn = 0

  /** Asks, and keeps what is shown until the answer is there. An older answer never follows a newer one. */
  async ask(request: () => Promise<T>): Promise<void> {
    const turn = ++this.turn
    this.busy = true
    try {
      const value = await request()
      if (turn !== this.turn) return
      this.value = value
      this.problem = null
    } catch (e) {
      if (turn !== this.turn) return
      this.problem = e instanceof ApiError ? e : new ApiError(0, e instanceof Error ? e.message : String(e))
      if (this.problem.status === 401) void who.look()
    } finally {
      if (turn === this.turn) this.busy = false
    }
  }

  /** Forgets what is shown; an answer still on its way is not taken. */
  clear() {
    this.turn++
    this.value = undefined
    this.problem = null
    this.busy = false
  }
}

/** Runs at most once in so many ms, and once more after the last call. */
export function calmly(ms: number, run: () => void): { (): void; stop(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined
  const ask = () => {
    timer ??= setTimeout(() => {
      timer = undefined
      run()
    }, ms)
  }
  ask.stop = () => {
    clearTimeout(timer)
    timer = undefined
  }
  return ask
}
