-- The marts and their source tell one total, to the cent.
with

source_total as (

  select coalesce(sum(refunded_amount), 0) as expected from {{ ref('returns') }}
  where {{ is_of_any_day() }}

),

marts as (

  select
    'fct_orders' as mart,
    coalesce(sum(refunds), 0) as observed
  from {{ ref('fct_orders') }}
  union all
  select
    'fct_finance_revenue' as mart,
    coalesce(sum(refunds), 0) as observed
  from {{ ref('fct_finance_revenue') }}
  union all
  select
    'fct_daily_dashboard' as mart,
    coalesce(sum(refunds), 0) as observed
  from {{ ref('fct_daily_dashboard') }}
  union all
  select
    'fct_customers' as mart,
    coalesce(sum(refund_total), 0) as observed
  from {{ ref('fct_customers') }}

)

select
  marts.mart,
  marts.observed,
  source_total.expected
from marts
cross join source_total
where marts.observed <> source_total.expected
