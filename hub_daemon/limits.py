"""Every bound of the hub in one place: the unit is last in the name, the reason beside it."""

# store
STORE_BUSY_WAIT_MS_MAX = 10_000  # another process (perch staff) holds the writing lock for milliseconds
LOG_DETAIL_CHARS_MAX = 400  # a log row says what happened; content stays with the item
LOG_PAGE_ROWS_MAX = 500  # rows of the log read at once
