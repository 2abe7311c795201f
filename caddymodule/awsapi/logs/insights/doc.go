// Package insights runs queries in the language of CloudWatch Logs Insights over log groups.
//
//	query ── parse ──> plan: steps of a row, then one collector, then steps over what it has
//	                    |
//	parts of the groups |  two or more goroutines, a part each
//	   Part.Scan ───────┴─> row ─> filter, fields, parse ─> collector of the part
//	                                                            | merge
//	                                                            v
//	                                           the rest of the steps ─> rows of text
//
// A row's fields are found when a step asks for them, so a filter that fails costs no more than
// what it looks at. Text that every matching event must have (Plan.needle) is looked for in whole
// blocks of the file before events are taken apart.
//
// A collector is what bounds a query's memory: the first rows in order, groups of stats, or one
// row for each value of dedup.
//
// Everything that the language has and this package has not is refused by its name and place.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
package insights
