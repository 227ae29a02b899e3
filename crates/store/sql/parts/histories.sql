SELECT sessions::text FROM history
