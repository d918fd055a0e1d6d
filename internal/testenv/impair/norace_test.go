//go:build !race

package impair_test

const raced = false
