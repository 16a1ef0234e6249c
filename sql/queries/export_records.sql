-- Rows as a backup has them, as records of an export: without what is made again, and whose they are.
select json_build_object('kind', %(kind)s::text, 'row', line - %(left_out)s::text[])::text as record
  from unnest(%(lines)s::jsonb[]) with ordinality as given (line, place)
 order by place
