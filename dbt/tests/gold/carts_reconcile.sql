-- Every accepted cart is counted once.
with

source_total as (

  select count(*) as expected from {{ ref('shopping_carts') }}
  where {{ is_of_any_day() }}

),

marts as (

  select
    'fct_cart_abandonment' as mart,
    coalesce(sum(carts), 0) as observed
  from {{ ref('fct_cart_abandonment') }}
  union all
  select
    'fct_daily_dashboard' as mart,
    coalesce(sum(carts), 0) as observed
  from {{ ref('fct_daily_dashboard') }}

)

select
  marts.mart,
  marts.observed,
  source_total.expected
from marts
cross join source_total
where marts.observed <> source_total.expected
