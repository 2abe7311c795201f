package push

import "strings"

// matchName is a glob in which * is anything: names of events have no segments.
func matchName(glob, name string) bool {
	return matchGlob(strings.ReplaceAll(glob, "*", "**"), name)
}

// matchGlob says whether all of s fits the glob: * is any text without a slash, ** any
// text, a backslash takes the meaning off the next byte. "photos/**/a.jpg" also fits
// "photos/a.jpg", as in .gitignore. Time is at most len(glob) times len(s).
func matchGlob(glob, s string) bool {
	// reach[i] says that the glob so far fits s[:i].
	reach := make([]bool, len(s)+1)
	reach[0] = true
	for i := 0; i < len(glob); i++ {
		switch {
		case strings.HasPrefix(glob[i:], "**/") && (i == 0 || glob[i-1] == '/'):
			i += 2
			anyFolders(reach, s)
		case strings.HasPrefix(glob[i:], "**"):
			i++
			for j := 1; j <= len(s); j++ {
				reach[j] = reach[j] || reach[j-1]
			}
		case glob[i] == '*':
			for j := 1; j <= len(s); j++ {
				reach[j] = reach[j] || reach[j-1] && s[j-1] != '/'
			}
		default:
			if glob[i] == '\\' && i+1 < len(glob) {
				i++
			}
			for j := len(s); j > 0; j-- {
				reach[j] = reach[j-1] && s[j-1] == glob[i]
			}
			reach[0] = false
		}
	}
	return reach[len(s)]
}

// anyFolders lets a segment begin wherever one begins after a place reached.
func anyFolders(reach []bool, s string) {
	before := false
	for j := 0; j <= len(s); j++ {
		here := reach[j]
		reach[j] = here || before && s[j-1] == '/'
		before = before || here
	}
}
