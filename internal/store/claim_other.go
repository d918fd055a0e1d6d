//go:build !unix

package store

import "os"

// lockFile does nothing where there is no flock; the service's ports are what keeps a
// second one from starting there.
func lockFile(*os.File) error { return nil }
