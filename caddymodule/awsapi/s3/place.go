package s3

import (
	"net"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/artefact"
)

// A place is what a request is about. Without a key it is a bucket, without a bucket the
// service.
type place struct{ bucket, key string }

// placeOf reads a place from the path, /BUCKET/KEY, or from the name of the host, BUCKET.HOST.
// The server may have any name, so the first part of a host's name is a bucket if there is
// one of that name, or if the path does not name one. A bucket that is made by its path cannot have the name that
// the host's name begins with.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
func (a *API) placeOf(r *http.Request, query map[string][]string) (place, error) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	heads := headsOf(r.Host)
	for _, name := range heads {
		if _, err := a.Store.Bucket(name); err == nil {
			return placeAt(name, path)
		}
	}
	if path == "" {
		// Who lists the buckets asks for nothing else.
		_, location := query["location"]
		_, list := query["list-type"]
		if len(heads) == 0 || r.Method == http.MethodGet && !location && !list {
			return place{}, nil
		}
		return placeAt(heads[len(heads)-1], "")
	}
	bucket, key, _ := strings.Cut(path, "/")
	if len(heads) > 0 && !isBucketName(bucket) { // then it is a key, of a bucket that is not there
		return place{}, artefact.ErrNoBucket
	}
	for _, name := range heads {
		if name == bucket && r.Method == http.MethodPut && key == "" {
			return place{}, refuse(http.StatusBadRequest, "InvalidBucketName", "This server's own name begins with "+bucket+": a bucket cannot have that name.")
		}
	}
	return placeAt(bucket, key)
}

// headsOf are the names of buckets that a host's name may begin with, the longest first.
func headsOf(host string) (heads []string) {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if net.ParseIP(strings.Trim(host, "[]")) != nil {
		return nil
	}
	for end := strings.LastIndexByte(host, '.'); end > 0; end = strings.LastIndexByte(host[:end], '.') {
		if name := host[:end]; isBucketName(name) {
			heads = append(heads, name)
		}
	}
	return heads
}

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// isBucketName tells whether a bucket may have the name.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
func isBucketName(name string) bool {
	return bucketName.MatchString(name) && !strings.Contains(name, "..") && net.ParseIP(name) == nil
}

func placeAt(bucket, key string) (place, error) {
	switch {
	case !isBucketName(bucket):
		return place{}, refuse(http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid.")
	case len(key) > artefact.MaxKey:
		return place{}, refuse(http.StatusBadRequest, "KeyTooLongError", "Your key is too long")
	case !utf8.ValidString(key) || strings.ContainsRune(key, 0):
		return place{}, refuse(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI.")
	}
	return place{bucket, key}, nil
}
