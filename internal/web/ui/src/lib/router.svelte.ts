// The address bar: real paths, so that a page can be bookmarked and opened again.

class Router {
  path = $state(location.pathname)

  constructor() {
    addEventListener('popstate', () => (this.path = location.pathname))
    addEventListener('click', (e) => this.follow(e))
  }

  go(path: string, replace = false) {
    if (path === this.path) return
    history[replace ? 'replaceState' : 'pushState'](null, '', path)
    this.path = path
    scrollTo(0, 0)
  }

  /** The page and what it shows: /headsets/abc is ['headsets', 'abc']. */
  get parts(): string[] {
    return this.path.split('/').filter(Boolean).map(decoded)
  }

  // A plain click on a link of ours changes the page without loading it.
  private follow(e: MouseEvent) {
    if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return
    const link = (e.target as Element | null)?.closest('a')
    if (!link || link.target || link.origin !== location.origin || link.hasAttribute('download')) return
    if (link.pathname.startsWith('/api') || link.hash) return
    e.preventDefault()
    this.go(link.pathname)
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part // not what we wrote; the page will say that there is no such thing
  }
}

export const router = new Router()
