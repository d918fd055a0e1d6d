package analyze

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// stdinName is the file that means standard input.
const stdinName = "-"

// find gives a job for each recording in order. A folder stands for the WAV files in it
// and below, sorted by path; many says that there is more than one recording, or was a
// folder, which may hold one today and two tomorrow.
func find(args []string) (jobs []job, many bool, err error) {
	if len(args) == 0 {
		return nil, false, errors.New("no files given; name WAV files, folders, or - for standard input")
	}
	stdin := 0
	for _, arg := range args {
		if arg == stdinName {
			stdin++
		} else if info, err := os.Stat(arg); err == nil && info.IsDir() {
			jobs = append(jobs, inFolder(arg)...)
			many = true
			continue
		}
		jobs = append(jobs, job{file: arg})
	}
	if stdin > 1 {
		return nil, false, errors.New("standard input can be read once only")
	}
	return jobs, many || len(jobs) > 1, nil
}

// inFolder finds the *.wav under a folder, in capitals or not. Hidden files and folders
// are passed by: macOS leaves ._call.wav beside call.wav, which is no recording.
func inFolder(root string) []job {
	var jobs []job
	// With a separator at its end a link to a folder is followed.
	_ = filepath.WalkDir(root+string(os.PathSeparator), func(path string, d fs.DirEntry, err error) error {
		inside := filepath.Clean(path) != filepath.Clean(root)
		switch {
		case err != nil:
			jobs = append(jobs, job{file: path, err: err})
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
		case inside && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case !d.IsDir() && strings.EqualFold(filepath.Ext(path), ".wav"):
			jobs = append(jobs, job{file: path})
		}
		return nil
	})
	if len(jobs) == 0 {
		jobs = append(jobs, job{file: root, err: fmt.Errorf("%s: the folder holds no .wav file", root)})
	}
	return jobs
}
