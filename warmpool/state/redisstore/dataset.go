package redisstore

import "go.uber.org/zap"

// check compares the name of Redis's data with the one that was read before. If it has
// changed, the store forgets what it remembers of the old data.
func (s *Store) check(dataset string) {
	s.mu.Lock()
	before := s.dataset
	s.dataset = dataset
	if before != "" && before != dataset {
		clear(s.known)
		clear(s.served)
	}
	s.mu.Unlock()
	if before == "" || before == dataset {
		return
	}
	s.log.Error("redis has lost what it kept: functions, settings and code of the lambda api, events that waited, checkpoints of sources",
		zap.String("redis", s.address),
		zap.String("remedy", "deploy the functions again, or restore redis from a backup and restart it; set appendonly yes and maxmemory-policy noeviction, and let nobody else flush it"))
	s.records.Changed("")
	s.ready.Changed("")
}
