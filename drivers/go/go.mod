module redigo-driver

go 1.17

require github.com/gomodule/redigo v1.9.3
