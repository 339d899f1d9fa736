{#- Reason codes with their conditions, in the order in which a row carries them. -#}
{%- macro reasons(table) -%}
  {%- set found = [] -%}
  {%- set columns = table["columns"] -%}
  {%- for name, column in columns.items() if column["required"] -%}
    {%- do found.append(
        ("missing:" ~ name, ("not " ~ name ~ "__given") if can_lose_values(column) else name ~ " is null")
    ) -%}
    {%- if column["ambiguous"] -%}
      {%- do found.append(("ambiguous:" ~ name, held_as(name) ~ " = 'ambiguous'")) -%}
    {%- endif -%}
  {%- endfor -%}
  {%- for name, column in columns.items() if column["required"] and can_lose_values(column) -%}
    {%- set is_lost = value_was_lost(name) -%}
    {%- if column["ambiguous"] -%}
      {%- set is_lost = is_lost ~ " and " ~ held_as(name) ~ " <> 'ambiguous'" -%}
    {%- endif -%}
    {%- do found.append(("unparseable:" ~ name, is_lost)) -%}
  {%- endfor -%}
  {%- for name, column in columns.items() if column["check"] -%}
    {%- set is_money = column["check"] == "negative" -%}
    {%- do found.append((column["check"] ~ ":" ~ name, name ~ (" < 0" if is_money else " <= 0"))) -%}
    {%- set most = var("max_money") if is_money else var("max_quantity") -%}
    {%- do found.append(("too_large:" ~ name, name ~ " > " ~ most)) -%}
  {%- endfor -%}
  {%- for rule, condition in table["rules"].items() -%}
    {%- do found.append(("rule:" ~ rule, condition)) -%}
  {%- endfor -%}
  {%- for name, column in columns.items() if column["plausible"] -%}
    {%- do found.append((
        "rule:implausible_date:" ~ name,
        "(cast(" ~ name ~ " as date) > ingestion_dt + 1 or cast(" ~ name ~ " as date) < date '"
        ~ var("earliest_date") ~ "')"
    )) -%}
  {%- endfor -%}
  {%- set referring = table["foreign_keys"] | map(attribute="columns") | sum(start=[]) -%}
  {%- for name in columns if name in referring -%}
    {%- do found.append(("fk:" ~ name, "no_" ~ name)) -%}
  {%- endfor -%}
  {{- return(found) -}}
{%- endmacro -%}
