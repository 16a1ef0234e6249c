-- The number of a table's rows, and the sum of their checksums: a sum, since a dump may restore them in another order.
select count(*) as row_count, coalesce(sum(('x' || left(md5(the_row::text), 15))::bit(60)::bigint), 0) as checksum
  from {table} as the_row
