package apigateway

import "strings"

// Slashed is a path whose encoded slashes are slashes.
func Slashed(path string) string {
	if !strings.Contains(path, "%2") {
		return path
	}
	return strings.ReplaceAll(strings.ReplaceAll(path, "%2F", "/"), "%2f", "/")
}

// Canonical is a path in which the letters, digits and -._~ that need no percent-encoding have
// none. It is the same path.
// https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2.2
func Canonical(path string) string {
	if strings.IndexByte(path, '%') < 0 {
		return path
	}
	plain := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]) {
			if b := unhex(path[i+1])<<4 | unhex(path[i+2]); isUnreserved(b) {
				plain = append(plain, b)
				i += 2
				continue
			}
		}
		plain = append(plain, path[i])
	}
	return string(plain)
}

func isUnreserved(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || strings.IndexByte("-._~", b) >= 0
}

// OneSlash is a path that begins with one slash where it has several.
func OneSlash(path string) string {
	if !strings.HasPrefix(path, "//") {
		return path
	}
	return "/" + strings.TrimLeft(path, "/")
}

// HasDots tells whether a segment of a path is . or .., however it is written. Clients resolve
// these before they send a request.
// https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4
func HasDots(path string) bool {
	if !strings.Contains(path, ".") && !strings.Contains(path, "%2") {
		return false
	}
	for segment := range strings.SplitSeq(Slashed(Canonical(path)), "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}
