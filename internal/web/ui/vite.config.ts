import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

// In development the API is a running service (HEADROOM, default http://127.0.0.1:8080)
// or, with MOCK=1, the made-up floor in mock/.
export default defineConfig(async () => ({
  plugins: [svelte(), ...(process.env.MOCK ? [(await import('./mock/plugin.ts')).mock()] : [])],
  build: {
    outDir: '../dist',
    emptyOutDir: true, // public/.keep comes back with every build
    assetsInlineLimit: 0, // the content security policy allows no data: scripts or styles
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
  server: {
    host: '127.0.0.1',
    proxy: process.env.MOCK ? {} : { '/api': process.env.HEADROOM ?? 'http://127.0.0.1:8080' },
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
}))
