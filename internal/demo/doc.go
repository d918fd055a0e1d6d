// Package demo shows the whole product on one machine: it starts the service, four agents
// with a headset each and a handful of callers, every one a process of its own that talks
// over real sockets, and watches through the public API what becomes of it.
//
// Two of the headsets are faulty by construction (speech driven into a ceiling, speech
// under noise), one is sound, and one is sound but worn by someone who speaks softly. The
// demo succeeds when the service finds that out by itself and routes calls accordingly.
package demo
