// Package web serves the pages: a single-page application in Svelte and TypeScript, built
// from ui/ by Vite into dist/ (`make web`) and embedded. It knows nothing of calls; the pages
// ask internal/api like anybody else.
package web
