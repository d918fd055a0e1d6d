//go:build unix

package record

import "syscall"

// freeSpace is what a folder's disk has left for this user, in bytes.
func freeSpace(folder string) (uint64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(folder, &fs); err != nil {
		return 0, err
	}
	return fs.Bavail * uint64(fs.Bsize), nil
}
