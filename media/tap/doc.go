// Package tap lets the meters listen without audio ever waiting for them: frames are
// copied into a small bounded queue, from which a pool of a few workers has all meters hear
// theirs. When they fall behind, frames are shed and counted: the far party's first, then the
// oldest. What is shed of the party that is measured counts as lost, so that no headset is
// blamed for a machine that is too slow.
package tap
