// Who is signed in at this browser.

import * as api from './api'
import { ApiError } from './api'
import type { Role, Session } from './shapes'

class Who {
  session = $state.raw<Session | null>(null)
  asked = $state(false) // false until the service has said who we are
  problem = $state<ApiError | null>(null)

  /** Asks the service; 401 means nobody, anything else is a problem to show. */
  async look(): Promise<void> {
    try {
      this.session = await api.whoAmI()
      this.problem = null
    } catch (e) {
      if (!(e instanceof ApiError)) throw e
      if (e.status === 401) {
        this.session = null
        this.problem = null
      } else {
        this.problem = e
      }
    }
    this.asked = true
  }

  async signIn(user: string, password: string): Promise<void> {
    this.session = await api.signIn(user, password)
  }

  async signOut(): Promise<void> {
    try {
      await api.signOut()
    } catch (e) {
      if (!(e instanceof ApiError && e.status === 401)) throw e // was signed out already
    }
    this.session = null
  }

  has(...roles: Role[]): boolean {
    const mine = this.session?.roles ?? []
    return mine.includes('admin') || roles.some((r) => mine.includes(r))
  }

  get seesFloor() {
    return this.has('supervisor')
  }

  get seesTrunks() {
    return this.has('supervisor', 'it')
  }

  get seesReadings() {
    return this.has('supervisor', 'it')
  }
}

export const who = new Who()
