package logs

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"
)

// A segment is one file of a group. Its name is the time in UTC at which it was
// begun, so that names sort by age and tell a person which file to look into.
type segment struct {
	id       int64 // Unix milliseconds of its beginning; goes up within a group
	size     int64 // bytes
	modified time.Time
}

const (
	segmentLayout = "20060102T150405.000Z"
	segmentSuffix = ".log"
)

func (s segment) begun() time.Time { return time.UnixMilli(s.id) }

func (s segment) name() string { return s.begun().UTC().Format(segmentLayout) + segmentSuffix }

func parseSegmentName(name string) (int64, bool) {
	t, err := time.Parse(segmentLayout+segmentSuffix, name)
	if err != nil {
		return 0, false
	}
	seg := segment{id: t.UnixMilli()}
	return seg.id, seg.name() == name // time.Parse also takes a comma
}

// findSegments returns the segments in a group's folder, oldest first. Other
// files are left alone.
func findSegments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var segments []segment
	for _, entry := range entries {
		id, ok := parseSegmentName(entry.Name())
		if !ok || !entry.Type().IsRegular() {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		segments = append(segments, segment{id, info.Size(), info.ModTime()})
	}
	slices.SortFunc(segments, func(a, b segment) int { return int(a.id - b.id) })
	return segments, nil
}
