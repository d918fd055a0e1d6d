// One clock for everything that ticks on a page, in the service's time.

import { clockOffset } from './api'

class Clock {
  now = $state(Date.now())

  constructor() {
    setInterval(() => (this.now = Date.now() + clockOffset), 1000)
  }
}

export const clock = new Clock()
