//! What a script may use up. Every limit is set explicitly, since Rhai's defaults differ between debug
//! and release builds.

use rhai::Engine;

/// Limits of one engine.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Operations of one call from the host; 0 is no limit. A run can always be interrupted.
    pub operations: u64,
    /// Nested calls of scripted functions.
    pub call_levels: usize,
    /// Nesting of expressions at the top level of a script.
    pub expression_depth: usize,
    /// Nesting of expressions in a function.
    pub function_expression_depth: usize,
    /// Bytes of one text.
    pub text: usize,
    /// Elements of one array.
    pub array: usize,
    /// Entries of one map.
    pub map: usize,
    /// Scripts imported by one script.
    pub modules: usize,
    /// Functions of one script.
    pub functions: usize,
    /// Variables alive at once.
    pub variables: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            operations: 0,
            call_levels: 64,
            expression_depth: 64,
            function_expression_depth: 64,
            text: 64 << 20,
            array: 16 << 20,
            map: 1 << 20,
            modules: 1 << 10,
            functions: 1 << 12,
            variables: 1 << 12,
        }
    }
}

impl Limits {
    /// Sets all limits of an engine.
    pub fn set(&self, engine: &mut Engine) {
        engine
            .set_max_operations(self.operations)
            .set_max_call_levels(self.call_levels)
            .set_max_expr_depths(self.expression_depth, self.function_expression_depth)
            .set_max_string_size(self.text)
            .set_max_array_size(self.array)
            .set_max_map_size(self.map)
            .set_max_modules(self.modules)
            .set_max_functions(self.functions)
            .set_max_variables(self.variables);
    }
}
