-- Records of an export as rows that a backup has; what was left out is made again.
select (jsonb_build_object('updated_at', record #> '{row,created_at}')
        || case record ->> 'kind' when 'episode' then '{"pattern_key": "", "is_folded": false}' else '{}' end::jsonb
        || (record -> 'row'))::text as line
  from unnest(%(records)s::jsonb[]) with ordinality as given (record, place)
 order by place
