// Package api is the service's front door: HTTP for people and their pages, server-sent
// events for live screens, one WebSocket per agent's client, and the three addresses a
// machine asks (/metrics, /healthz, /readyz). docs/api.md tells it to a reader with curl.
//
// The door decides who may see what and nothing else. Every answer about calls, queues
// and headsets comes from the small interfaces in deps.go; every JSON shape is a struct in
// shapes.go, so that the OpenAPI document and the code cannot disagree. Whoever is not
// signed in gets the sign-in, the health addresses and the static pages; roles.go holds
// the one table of which role may ask what.
//
// Nothing here may hold up a call: an agent's messages go to the switchboard on the link's
// own goroutine, what the switchboard says waits in a bounded queue, and a client too slow
// to empty it is cut off and may resume.
package api
