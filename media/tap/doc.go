// Package tap lets the meters listen without audio ever waiting for them: frames are
// copied into a bounded queue and measured on a goroutine of their own. When that falls
// behind, the oldest frames are shed and counted.
package tap
