// Package config reads the two files a person writes: headroom.yaml, the process (where it
// listens, where it keeps its data), and site.yaml, the call centre (trunks, queues, users,
// headset rules).
//
// A file that is not understood is refused, whole, with every mistake by file, line, key
// and what was expected. Everything has a default; the commented files under deploy/ show
// them, and a test holds that they are the ones in this code.
//
//	yaml.go     YAML to Go values, strictly, remembering on which line each key stood
//	process.go  headroom.yaml
//	site.go     site.yaml: defaults, reading, writing
//	check.go    what a site must fulfil beyond its types
package config
