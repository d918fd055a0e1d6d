// Package events fans out what happens to whoever watches: the pages' live stream, the
// metrics, the tests. It is in process, in order, and never makes a publisher wait: a
// slow reader loses its oldest events and can count them. Nothing that must survive goes
// through it alone; the store is the truth, events only say that it changed.
package events
